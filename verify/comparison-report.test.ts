import { expect, test } from 'vitest'
import type { Comparison } from './compare-databases.ts'
import { describeComparison } from './comparison-report.ts'

const album = {
  table: 'public.album',
  columns: ['album_id', 'title', 'price'],
  keyColumns: ['album_id'],
  sourceRows: 1_347,
  targetRows: 1_347,
  differing: 0,
  changing: 0,
  examples: [],
}

const comparison = (changes: Partial<Comparison>): Comparison => ({
  tables: [album],
  stopped: [],
  uncaptured: [],
  onlyInTarget: [],
  beacon: 12,
  waitSeconds: 0.1,
  seconds: 0.6,
  ...changes,
})

test('equal databases: a line per table and the verdict', () => {
  const genre = { ...album, table: 'public.genre', sourceRows: 25, targetRows: 25 }

  expect(describeComparison(comparison({ tables: [album, genre] }))).toBe(
    `table         source rows  target rows  differing
public.album        1,347        1,347          0
public.genre           25           25          0

equal: 1,372 rows in 2 tables (everything before beacon 12, 600 ms)`,
  )
})

test('equal databases whose rows were counted at different moments say so', () => {
  expect(describeComparison(comparison({ tables: [{ ...album, targetRows: 1_340 }] }))).toContain(
    'equal: 1,347 rows in 1 table (everything before beacon 12, 600 ms); rows that changed meanwhile were looked at again',
  )
})

test('a differing row shows its columns side by side and marks those that differ', () => {
  const examples = [
    { key: ['7'], source: ['7', 'Facelift', '1.10'], target: ['7', null, '1.10'] },
    { key: ['8'], source: ['8', 'two\nlines', '0.99'], target: undefined },
  ]

  expect(describeComparison(comparison({ tables: [{ ...album, targetRows: 1_346, differing: 2, examples }] }))).toBe(
    `table         source rows  target rows  differing
public.album        1,347        1,346          2

public.album, album_id = 7
     column    source    target
     album_id  7         7
  ≠  title     Facelift  NULL
     price     1.10      1.10

public.album, album_id = 8, only in the source
     column    source      target
  ≠  album_id  8           -
  ≠  title     two\\nlines  -
  ≠  price     0.99        -

not equal: 2 rows differ; compared 1,347 rows in 1 table (everything before beacon 12, 600 ms)`,
  )
})

test('long values are cut around their first difference, and no line is longer than the terminal', () => {
  const start = 'x'.repeat(3_000_000)
  const examples = [{ key: ['7'], source: ['7', `${start}one`, '1'], target: ['7', `${start}two`, '1'] }]

  const lines = describeComparison(comparison({ tables: [{ ...album, differing: 1, examples }] }), 60).split('\n')

  expect(lines.find((line) => line.includes('title'))).toBe('  ≠  title     …xxxxxxxxone  …xxxxxxxxtwo')
  expect(Math.max(...lines.slice(0, -1).map((line) => line.length))).toBeLessThanOrEqual(60)
})

test('of a thousand columns those that differ come first, and the others are counted', () => {
  const columns = Array.from({ length: 1_000 }, (_, index) => `c${index}`)
  const row = columns.map((_, index) => `${index}`)
  const wide = { ...album, columns, keyColumns: ['c0'], differing: 1 }
  const examples = [{ key: ['0'], source: row, target: row.with(777, 'other') }]

  const lines = describeComparison(comparison({ tables: [{ ...wide, examples }] })).split('\n')

  expect(lines.slice(3, 7)).toEqual([
    'public.album, c0 = 0',
    '     column  source  target',
    '  ≠  c777    777     other',
    '     c0      0       0',
  ])
  expect(lines.slice(25, 27)).toEqual(['     … and 980 more columns, all equal', ''])
})

test('a row of a table without a key is shown with how often each side has it', () => {
  const log = { ...album, table: 'public.log', columns: ['line'], keyColumns: [], differing: 2 }
  const examples = [{ key: [], source: ['started'], target: ['started'], times: { source: 3, target: 1 } }]

  expect(describeComparison(comparison({ tables: [{ ...log, examples }] }))).toContain(
    `public.log, a row that the source has 3 times and the target once
     column  source   target
     line    started  started`,
  )
})

test('what is missing, stopped, not captured or never at rest is reported with its reason and what to run', () => {
  const missing = { ...album, table: 'public.genre', sourceRows: 0, targetRows: null }
  const restless = { ...album, changing: 1 }
  const incomparable = { ...album, table: 'public.media', problem: 'the target has no column price' }
  const stopped = [
    { relation: '1', name: 'public.track', reason: 'column price was added' },
    { relation: '2', name: 'public.my table', reason: 'its records cannot be read' },
  ]
  const onlyInTarget = ['public.artist']
  const uncaptured = [
    { name: 'public.log', why: 'it has no primary key', fix: 'alter table public.log add primary key (id);' },
  ]

  expect(
    describeComparison(comparison({ tables: [restless, missing, incomparable], stopped, onlyInTarget, uncaptured })),
  ).toBe(
    `table         source rows  target rows  differing  never at rest
public.album        1,347        1,347          0              1
public.genre            0     no table          0              0
public.media        1,347        1,347          0              0

not comparable
  public.media  the target has no column price

stopped in the target
  public.track  column price was added
    npm run accept -- public.track  applies its quarantined records
    npm run resync -- public.track  reads its rows again
  public.my table  its records cannot be read
    npm run accept -- 'public.my table'  applies its quarantined records
    npm run resync -- 'public.my table'  reads its rows again

only in the target
  public.artist

missing in the target
  public.genre  npm run recover brings it back where somebody dropped its rows or its view

not captured
  public.log  it has no primary key
    alter table public.log add primary key (id);

not equal: 1 row was never at rest, 1 table is missing, 1 table is not comparable, 2 tables are stopped, 1 table is only in the target; compared 2,694 rows in 3 tables (everything before beacon 12, 600 ms)`,
  )
})
