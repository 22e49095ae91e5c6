import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ColumnContract } from '#core/contract.ts'
import { differingKeys } from './differing-keys.ts'
import { LineReader } from './line-reader.ts'
import { listRows, type RowListing } from './row-listing.ts'

const column = (number: number, carried: string, key: number | null): ColumnContract => ({
  number,
  name: `c${number}`,
  type: carried,
  carried,
  wire: 'value',
  nullable: false,
  generated: false,
  expression: null,
  key,
  missing: null,
  definition: null,
})

const listing = (...columns: ColumnContract[]): RowListing =>
  listRows({
    name: 'public.t',
    identifier: 'public.t',
    columns,
    key: columns.filter(({ key }) => key !== null).toSorted((a, b) => a.key! - b.key!),
    relations: [1],
    from: { source: 'public.t', target: 'public.t' },
    shape: '',
  })

const byNumber = listing(column(1, 'integer', 1), column(2, 'text', null))

/** The text in the form in which COPY sends it, cut into chunks whose sizes repeat the given ones. */
async function* chunks(text: string, sizes: number[]): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!
    yield bytes.subarray(at, at + size)
    at += size
  }
}

const reader = (text: string, ...sizes: number[]) => new LineReader(chunks(text, sizes.length > 0 ? sizes : [1_000]))

async function keysOf(table: RowListing, source: LineReader, target: LineReader): Promise<string[][]> {
  const keys: string[][] = []
  for await (const key of differingKeys(table, source, target)) keys.push(key)
  return keys
}

test('rows that differ, and rows on one side only, are reported by their keys, however the streams are cut', async () => {
  const value = fc.constantFrom('a', 'a much longer value', '\\N', undefined)
  const row = fc.record({ id: fc.integer({ min: -99, max: 99 }), left: value, right: value })
  const mostlyEqual = row.map(({ id, left }) => ({ id, left, right: left }))
  const rows = fc.uniqueArray(fc.oneof(row, mostlyEqual, mostlyEqual), { selector: ({ id }) => id, maxLength: 80 })
  const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 })
  const lines = (side: (string | undefined)[], ids: number[]) =>
    ids.flatMap((id, index) => (side[index] === undefined ? [] : [`${id}\t${side[index]}\n`]))

  await fc.assert(
    fc.asyncProperty(rows, sizes, sizes, async (unordered, leftSizes, rightSizes) => {
      const all = unordered.toSorted((a, b) => a.id - b.id)
      const ids = all.map(({ id }) => id)
      const left = lines(
        all.map((one) => one.left),
        ids,
      )
      const right = lines(
        all.map((one) => one.right),
        ids,
      )
      const source = reader(left.join(''), ...leftSizes)
      const target = reader(right.join(''), ...rightSizes)

      const keys = await keysOf(byNumber, source, target)

      expect(keys).toEqual(all.filter((one) => one.left !== one.right).map(({ id }) => [`${id}`]))
      expect([source.lines, target.lines]).toEqual([left.length, right.length])
    }),
    { numRuns: 500 },
  )
})

test('integers are in the order of their values beyond what a double holds', async () => {
  const table = listing(column(1, 'bigint', 1))
  const source = reader('-9007199254740993\n9\n10\n9007199254740993\n')
  const target = reader('-9007199254740993\n10\n9007199254740992\n9007199254740993\n')

  expect(await keysOf(table, source, target)).toEqual([['9'], ['9007199254740992']])
})

test('text is in the order of its bytes, what COPY escapes included', async () => {
  const table = listing(column(1, 'text', 1))
  // A tab is less than a digit, but its escape sequence is not. U+1F600 comes after U+FFFD in UTF-8, but not in UTF-16.
  const source = reader('a\\tb\na1\na\\\\n\n\ufffd\n')
  const target = reader('a1\na\\\\n\n\ufffd\n\u{1f600}\n')

  expect(await keysOf(table, source, target)).toEqual([['a\tb'], ['\u{1f600}']])
})

test('a key of several columns is compared in the order of the key, not of the columns', async () => {
  const table = listing(column(1, 'text', 2), column(2, 'integer', 1))
  const source = reader('b\t2\na\t10\nc\t10\n')
  const target = reader('b\t2\nb\t10\nc\t10\n')

  expect(await keysOf(table, source, target)).toEqual([
    ['10', 'a'],
    ['10', 'b'],
  ])
})

test('a line longer than any chunk is one line', async () => {
  const long = 'x'.repeat(500_000)

  expect(await keysOf(byNumber, reader(`1\t${long}\n2\ta\n`, 7_000), reader(`1\t${long}\n2\tb\n`, 900))).toEqual([
    ['2'],
  ])
})

test('as many equal lines are passed as both sides have, and a line that one side has more often is reported once', async () => {
  const byDigest = listing(column(1, 'text', null))
  const source = reader('\\\\x01\n\\\\x01\n\\\\x01\n\\\\x02\n\\\\x03\n', 5)
  const target = reader('\\\\x01\n\\\\x02\n\\\\x03\n\\\\x03\n\\\\x03\n', 7)

  expect(await keysOf(byDigest, source, target)).toEqual([['\\x01'], ['\\x03']])
  expect([source.lines, target.lines]).toEqual([5, 5])
})
