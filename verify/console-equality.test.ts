import { expect, test } from 'vitest'
import { eventually } from '#test-support/eventually.ts'
import type { CompareOptions, Comparison } from './compare-databases.ts'
import { makeConsoleEquality } from './console-equality.ts'
import type { TableComparison } from './table-comparison.ts'

const now = () => new Date('2026-11-30T14:00:00Z')
const asOf = '2026-11-30T14:00:01.000001Z'

const comparisonOf = (table: string, changes: Partial<TableComparison> = {}): TableComparison => ({
  ...{ table, columns: ['id', 'note'], keyColumns: ['id'], sourceRows: 2, targetRows: 2, differing: 0, changing: 0 },
  ...{ examples: [], ...changes },
})

const nothing: Comparison = {
  tables: [],
  stopped: [],
  uncaptured: [],
  onlyInTarget: [],
  beacon: 1,
  waitSeconds: 0,
  seconds: 0,
}

/** A comparison that the test drives. */
function driven() {
  const ended = Promise.withResolvers<Comparison>()
  let options: CompareOptions | undefined
  const equality = makeConsoleEquality({
    ...{ source: 'postgres://s', target: 'postgres://t', now },
    compare: (given) => {
      options = given
      return ended.promise
    },
  })
  return { equality, ended, options: () => options! }
}

const states = (equality: ReturnType<typeof driven>['equality']) =>
  equality.state()!.tables.map(({ table, state, why }) => [table, state, why])

test('each table has its state as soon as it was compared', async () => {
  const { equality, ended, options } = driven()
  expect(equality.state()).toBeNull()

  expect(await equality.start(null)).toEqual({
    ...{ state: 'waiting', beganAt: '2026-11-30T14:00:00.000Z', asOf: null, why: null, tables: [] },
  })
  options().onVisible!({
    ...{ asOf, tables: ['a', 'b', 'c'] },
    stopped: [{ relation: '1', name: 'd', reason: 'a type' }],
    uncaptured: [{ name: 'e', why: 'unlogged', fix: null }],
  })
  options().onCompared!(comparisonOf('a'))
  expect([equality.state()!.state, equality.state()!.asOf]).toEqual(['comparing', asOf])
  expect(states(equality)).toEqual([
    ['a', 'equal', null],
    ['b', 'waiting', null],
    ['c', 'waiting', null],
    ['d', 'not compared', 'it is stopped: a type'],
    ['e', 'not compared', 'it is not captured: unlogged'],
  ])

  const row = { key: ['7'], source: ['7', 'x'], target: ['7', null] }
  options().onCompared!(comparisonOf('b', { differing: 1, changing: 2, examples: [row] }))
  ended.resolve({ ...nothing, onlyInTarget: ['f'] })
  await eventually(() => expect(equality.state()!.state).toBe('done'))

  expect(states(equality).slice(1)).toEqual([
    ['b', 'different', '1 row differs, 2 rows changed at every look'],
    ['c', 'not compared', 'it was dropped in the source meanwhile'],
    ['d', 'not compared', 'it is stopped: a type'],
    ['e', 'not compared', 'it is not captured: unlogged'],
    ['f', 'different', 'the target shows it, and the source has no such table'],
  ])
  expect(equality.state()!.tables[1]!.differences).toEqual([
    { key: 'id = 7', source: 'note = x', target: 'note = NULL' },
  ])
})

test('rows that one side lacks are shown whole, long values are cut, and rows without a key are counted', async () => {
  const { equality, options } = driven()
  await equality.start(null)
  options().onVisible!({ asOf, tables: ['a', 'b'], stopped: [], uncaptured: [] })
  const only = { key: ['7'], source: ['7', 'x'.repeat(1_000)], target: undefined }
  options().onCompared!(comparisonOf('a', { differing: 1, examples: [only] }))
  const twice = { key: [], source: ['7', 'x'], target: ['7', 'x'], times: { source: 2, target: 1 } }
  options().onCompared!(comparisonOf('b', { differing: 1, keyColumns: [], examples: [twice] }))

  expect(equality.state()!.tables.map(({ differences }) => differences)).toEqual([
    [{ key: 'id = 7', source: `id = 7\nnote = ${'x'.repeat(200)}…`, target: null }],
    [{ key: '2 in the source, 1 in the target', source: 'id = 7\nnote = x', target: 'id = 7\nnote = x' }],
  ])
})

test('only the given tables are compared, and one that nobody captures says so', async () => {
  const { equality, options } = driven()
  await equality.start(['a', 'zz'])

  expect(['a', 'b', 'zz'].filter((name) => options().only!(name))).toEqual(['a', 'zz'])
  options().onVisible!({ asOf, tables: ['a'], stopped: [], uncaptured: [] })
  expect(states(equality)).toEqual([
    ['a', 'waiting', null],
    ['zz', 'not compared', 'the source captures no table of this name'],
  ])
})

test('a comparison that is under way is not begun twice, and one that fails says why', async () => {
  const { equality, ended, options } = driven()
  await equality.start(null)
  const first = options()
  await equality.start(['other'])
  expect(options()).toBe(first)

  ended.reject(new Error('gave up waiting for public.orders'))
  await eventually(() =>
    expect(equality.state()).toMatchObject({ state: 'failed', why: 'gave up waiting for public.orders' }),
  )
})

test('a table that cannot be compared, and one that the target lacks, are not equal', async () => {
  const { equality, options } = driven()
  await equality.start(null)
  options().onVisible!({ asOf, tables: ['a', 'b'], stopped: [], uncaptured: [] })
  options().onCompared!(comparisonOf('a', { problem: 'the target has no column note' }))
  options().onCompared!(comparisonOf('b', { targetRows: null, differing: 2 }))

  expect(states(equality)).toEqual([
    ['a', 'not compared', 'the target has no column note'],
    ['b', 'different', 'the target does not have it'],
  ])
})
