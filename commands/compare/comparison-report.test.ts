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

test('a differing row shows its differing columns side by side, a row of one side all of them', () => {
  const examples = [
    { key: ['7'], source: ['7', 'Facelift', '1.10'], target: ['7', null, '1.10'] },
    { key: ['8'], source: ['8', 'two\nlines', '0.99'], target: undefined },
  ]

  expect(describeComparison(comparison({ tables: [{ ...album, targetRows: 1_346, differing: 2, examples }] }))).toBe(
    `table         source rows  target rows  differing
public.album        1,347        1,346          2

public.album, album_id = 7
  column  source    target
  title   Facelift  NULL

public.album, album_id = 8, only in the source
  column    source      target
  album_id  8           -
  title     two\\nlines  -
  price     0.99        -

not equal: 2 rows differ; compared 1,347 rows in 1 table (everything before beacon 12, 600 ms)`,
  )
})

test('what is missing, stopped, not captured or never at rest is told with its reason and what to run', () => {
  const missing = { ...album, table: 'public.genre', sourceRows: 0, targetRows: null }
  const restless = { ...album, changing: 1 }
  const stopped = [{ relation: '1', name: 'public.track', reason: 'column price was added' }]
  const uncaptured = [
    { name: 'public.log', why: 'it has no primary key', fix: 'alter table public.log add primary key (id);' },
  ]

  expect(describeComparison(comparison({ tables: [restless, missing], stopped, uncaptured }))).toBe(
    `table         source rows  target rows  differing  never at rest
public.album        1,347        1,347          0              1
public.genre            0     no table          0              0

stopped in the target
  public.track  column price was added

not captured
  public.log  it has no primary key
    alter table public.log add primary key (id);

not equal: 1 row was never at rest, 1 table is missing, 1 table is stopped; compared 1,347 rows in 2 tables (everything before beacon 12, 600 ms)`,
  )
})
