import { expect, test } from 'vitest'
import { spreadIds, targetSizes } from './target-sizes.ts'

test('sizes are those of one table; numbers of tables share the same rows, ten for each change', () => {
  expect(targetSizes({ sizes: [100, 1_000], tableCounts: [1, 7], changes: 100 })).toEqual([
    { kind: 'size', rows: 100, tables: 1 },
    { kind: 'size', rows: 1_000, tables: 1 },
    { kind: 'tables', rows: 1_000, tables: 1 },
    { kind: 'tables', rows: 143, tables: 7 },
  ])
})

test('a table of fewer rows than there are changes is refused: changes of one row in one batch cost less', () => {
  expect(() => targetSizes({ sizes: [1_000, 99], tableCounts: [], changes: 100 })).toThrow(
    '--sizes 99 is less than --changes 100: each change is that of another row',
  )
})

test.for([
  [{ rows: 100, tables: 1 }, 100, { each: 100, distance: 1 }],
  [{ rows: 1_000, tables: 1 }, 100, { each: 100, distance: 10 }],
  [{ rows: 143, tables: 7 }, 100, { each: 15, distance: 9 }],
  [{ rows: 3, tables: 2 }, 100, { each: 3, distance: 1 }],
] as const)('of %o as many rows are updated, the same number in each table', ([size, changes, expected]) => {
  const { each, ids } = spreadIds(size, changes)

  expect(each).toBe(expected.each)
  expect(ids).toBe(`select 1 + n * ${expected.distance} from generate_series(0, ${expected.each - 1}) n`)
  expect(1 + (expected.each - 1) * expected.distance).toBeLessThanOrEqual(size.rows)
})
