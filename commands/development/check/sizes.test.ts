import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkSizes, findTooLarge } from './sizes.ts'

const files = (count: number, nameOf: (i: number) => string) => Array.from({ length: count }, (_, i) => nameOf(i))
const short = (names: string[]) => new Map(names.map((name) => [name, 10]))

test('a source file of more than 300 lines and a test of more than 700 are named with their lines', () => {
  const lines = new Map([
    ['core/lsn.ts', 300],
    ['core/order.ts', 301],
    ['core/order.test.ts', 700],
    ['sql/target/functions/order.int.test.ts', 701],
  ])

  expect(findTooLarge(lines)).toEqual([
    expect.stringMatching(/^core\/order\.ts has 301 lines, and at most 300 .* split it by subject$/),
    expect.stringMatching(/^sql\/target\/functions\/order\.int\.test\.ts has 701 lines, and at most 700 /),
  ])
})

test('a folder of more than 20 source files is named with their number, and its tests do not count', () => {
  const tested = [...files(20, (i) => `core/rule-${i}.ts`), ...files(20, (i) => `core/rule-${i}.test.ts`)]

  expect(findTooLarge(short(tested))).toEqual([])
  expect(findTooLarge(short([...tested, 'core/Rule.java']))).toEqual([
    expect.stringMatching(/^core has 21 source files, and at most 20 .* move those of one subject /),
  ])
})

test('files of a folder within a folder do not count for the outer one', () => {
  const names = [...files(20, (i) => `core/rule-${i}.ts`), ...files(20, (i) => `core/wire/record-${i}.ts`)]

  expect(findTooLarge(short(names))).toEqual([])
})

test('the dump of a schema may be long, and the numbered files of a schema may be many', () => {
  const names = files(30, (i) => `sql/target/tables/${i}-table.sql`)

  expect(findTooLarge(new Map([...short(names), ['sql/target/schema.sql', 3000]]))).toEqual([])
})

test('no file and no folder of the repository is too large', () => {
  expect(checkSizes(join(import.meta.dirname, '../../..'))).toEqual([])
})
