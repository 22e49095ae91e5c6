import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readRecord } from './change.ts'
import { isLastPart, joinRecordParts, type OpenRecord, type StoredPart } from './record-parts.ts'

type Delivered = { offset: number; key: string | undefined; value: string | undefined }
type Sent = Omit<Delivered, 'offset'>

const source = { name: 'tidemark_e1', schema: 'public', table: 'documents', lsn: 5 }

function partsOf(key: string | undefined, texts: readonly string[], id: string): Sent[] {
  return texts.map((text, index) => ({
    key,
    value: JSON.stringify({ tidemark_part: { id, index, count: texts.length, text }, op: 'c', source }),
  }))
}

let ids = 0
const freshId = () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`

/** Joins deliveries one after the other; what is stored between them is kept as the target keeps it. */
function deliver(batches: readonly (readonly Delivered[])[]) {
  const stored = new Map<string, StoredPart[]>()
  const joined: Delivered[] = []
  for (const batch of batches) {
    const open = [...stored.values()].map((parts): OpenRecord => ({ ...parts[0]!, stored: parts.length }))
    const plan = joinRecordParts(batch, open)
    for (const one of plan.records) {
      if ('whole' in one) joined.push(one.whole)
      else {
        const before = one.stored === 0 ? [] : stored.get(one.id)!.map(({ text }) => text)
        expect(before).toHaveLength(one.stored)
        joined.push({ ...one.last, value: [...before, ...one.texts].join('') })
      }
    }
    for (const id of plan.forget) expect(stored.delete(id)).toBe(true)
    for (const part of plan.keep) {
      const parts = stored.get(part.id) ?? []
      expect(part.index).toBe(parts.length)
      stored.set(part.id, [...parts, part])
    }
  }
  return { joined, stored: [...stored.keys()] }
}

const inOrder = (sent: readonly Sent[]): Delivered[] => sent.map((record, offset) => ({ ...record, offset }))

function cutAt<T>(records: readonly T[], places: readonly number[]): T[][] {
  const ends = [...new Set(places.map((place) => place % (records.length + 1))), records.length].sort((a, b) => a - b)
  return ends.map((end, i) => records.slice(ends[i - 1] ?? 0, end)).filter((batch) => batch.length > 0)
}

/**
 * A change and how it is cut into parts. For each of `crashes`, some first parts are sent before all are sent again.
 */
const change = fc.record({
  key: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
  texts: fc.array(fc.string({ minLength: 1, unit: 'grapheme' }), { minLength: 1, maxLength: 5 }),
  crashes: fc.array(fc.nat({ max: 4 }), { maxLength: 2 }),
})

const sends = ({ key, texts, crashes }: { key: string | undefined; texts: string[]; crashes: number[] }): Sent[] => {
  if (texts.length === 1) return [{ key, value: texts[0]! }]
  const again = crashes.map((after) => partsOf(key, texts, freshId()).slice(0, after % texts.length))
  return [...again.flat(), ...partsOf(key, texts, freshId())]
}

test('however records are cut, sent again and delivered, the same changes come in the same order', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 8 }), (changes, cuts) => {
      const { joined, stored } = deliver(cutAt(inOrder(changes.flatMap(sends)), cuts))

      expect(joined.map(({ key, value }) => [key, value])).toEqual(
        changes.map(({ key, texts }) => [key, texts.join('')]),
      )
      expect(stored).toEqual([])
    }),
  )
})

test('parts of records with other keys may stand between those of one', () => {
  const keys = fc.uniqueArray(fc.string(), { minLength: 2, maxLength: 5 })
  const texts = fc.array(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 6 })
  fc.assert(
    fc.property(keys, texts, fc.array(fc.nat(), { maxLength: 60 }), fc.array(fc.nat()), (all, cut, turns, cuts) => {
      const queues = all.map((key) => partsOf(key, cut, freshId()))
      const sent: Sent[] = []
      for (const turn of turns) {
        const waiting = queues.filter((queue) => queue.length > 0)
        if (waiting.length > 0) sent.push(waiting[turn % waiting.length]!.shift()!)
      }
      sent.push(...queues.flat())

      const { joined, stored } = deliver(cutAt(inOrder(sent), cuts))

      expect(joined.map(({ value }) => value)).toEqual(all.map(() => cut.join('')))
      expect(new Set(joined.map(({ key }) => key))).toEqual(new Set(all))
      expect(stored).toEqual([])
    }),
  )
})

test('a record stands at the offset of its last part', () => {
  const [first, second] = partsOf('a', ['x', 'y'], freshId()) as [Sent, Sent]

  const { joined } = deliver([inOrder([first, { key: 'b', value: 'other' }, second])])

  expect(joined.map(({ offset, value }) => [offset, value])).toEqual([
    [1, 'other'],
    [2, 'xy'],
  ])
})

test.each([
  ['misses those before it', (parts: Sent[]) => parts.slice(1)],
  ['misses one between', (parts: Sent[]) => [parts[0]!, parts[2]!]],
  ['comes under another key', (parts: Sent[]) => [parts[0]!, { ...parts[1]!, key: 'b' }, parts[2]!]],
])('a part that %s is a change that stops its table, which is read again', (_, change) => {
  const { joined } = deliver([inOrder(change(partsOf('a', ['x', 'y', 'z'], freshId())))])

  expect(joined.length).toBeGreaterThan(0)
  for (const { value } of joined) {
    expect(readRecord(value!)).toEqual({
      kind: 'unreadable',
      epoch: 1,
      schema: 'public',
      table: 'documents',
      reason: 'a part of a large row came without the parts before it',
      automatic: true,
    })
  }
})

test.each([
  ['is not JSON', '{"tidemark_part":{"id":'],
  ['names no table', '{"tidemark_part":{"id":7}}'],
  ['is null', '{"tidemark_part":{}}'],
  ['has an id of another kind', JSON.stringify({ tidemark_part: { id: "'; drop", index: 0, count: 2, text: 'x' } })],
  ['is one of too many', JSON.stringify({ tidemark_part: { id: freshId(), index: 0, count: 1e9, text: 'x' } })],
  ['holds NUL', JSON.stringify({ tidemark_part: { id: freshId(), index: 0, count: 2, text: '\0' } })],
])('a part that %s is passed on unchanged, and is not joined', (_, value) => {
  const { joined, stored } = deliver([inOrder([{ key: 'a', value }])])

  expect(joined.map((record) => record.value)).toEqual([value])
  expect(stored).toEqual([])
  expect(() => readRecord(value)).toThrow()
})

test('records that are begun and never ended do not add up', () => {
  const begun = Array.from({ length: 100 }, (_, key) => partsOf(`${key}`, ['x', 'y'], freshId())[0]!)

  const { stored } = deliver(inOrder(begun).map((one) => [one]))

  expect(stored).toHaveLength(8)
})

test('the last part is recognized without parsing it', () => {
  const parts = partsOf('a', ['"index":1,"count":2', 'y', 'z'], freshId())

  expect(parts.map(({ value }) => isLastPart(value))).toEqual([false, false, true])
  expect(isLastPart('{"before":null}')).toBe(false)
  expect(isLastPart(undefined)).toBe(false)
})

test('a row too large even for parts stops its table with what to do', () => {
  const oversize = { bytes: 41_200_000, limit: 33_554_432, key: '{"id":7}', columns: { body: 41_000_000 } }

  expect(readRecord(JSON.stringify({ tidemark_oversize: oversize, op: 'c', source }))).toEqual({
    kind: 'unreadable',
    epoch: 1,
    schema: 'public',
    table: 'documents',
    reason:
      'a change of a row is 41.2 MB of JSON (key {"id":7}, column body 41.0 MB), and at most 33.6 MB can be sent: make the value smaller, or leave the column out with excludeColumns, then run npm run resync',
    automatic: false,
  })
})
