import { describe, expect, test } from 'vitest'
import type { TableContract } from '../contract.ts'
import type { Status } from '../status/status.ts'
import { contractVersions, curesOf, listTables } from './table-listing.ts'

const table = (name: string, state: Status['tables'][number]['state'] = 'captured'): Status['tables'][number] => ({
  name,
  state,
  source: { rows: 3, isEstimate: false },
  target: { rows: 3, isEstimate: false },
  changedSecondsAgo: null,
})

const status = {
  tables: [table('public.b', 'stopped'), table('public.a'), table('public.gone')],
  stopped: [
    {
      kind: 'table',
      table: 'public.b',
      keptRecords: 2,
      since: '2026-11-30T14:05:03Z',
      reason: 'its view has another owner',
      command: 'npm run accept -- public.b',
    },
  ],
  notCaptured: [{ name: 'public.gone', reason: 'it left the publication', fix: 'alter …' }],
  uncaptured: [{ name: 'public.refused', why: 'it is unlogged', fix: 'alter table …' }],
  missing: [{ name: 'public.a', part: 'view' }],
  indexProblems: [
    { table: 'public.a', name: 'i', reason: 'it does not fit', command: 'npm run index -- remove public.a i' },
  ],
} as unknown as Status

const counts = {
  changes: new Map([['public.a', { inserts: 1, updates: 2, deletes: 3 }]]),
  unkept: new Set(['public.gone']),
  quarantined: new Map([['public.b', 2]]),
}

describe('the list of tables', () => {
  test('has all tables in the order of their names, also those that the source refuses', () => {
    expect(
      listTables(status, counts).map(({ name, state, reason, quarantined }) => [name, state, reason, quarantined]),
    ).toEqual([
      ['public.a', 'captured', null, 0],
      ['public.b', 'stopped', 'its view has another owner', 2],
      ['public.gone', 'not captured', 'it left the publication', 0],
      ['public.refused', 'not captured', 'it is unlogged', 0],
    ])
  })

  test('has changes of the last day, and none where no history is kept or nothing was counted', () => {
    expect(listTables(status, counts).map(({ changes }) => changes)).toEqual([
      { inserts: 1, updates: 2, deletes: 3 },
      { inserts: 0, updates: 0, deletes: 0 },
      null,
      { inserts: 0, updates: 0, deletes: 0 },
    ])
    expect(listTables(status, { ...counts, changes: null }).every(({ changes }) => changes === null)).toBe(true)
  })
})

test('what is wrong with a table has a way to resolve it', () => {
  expect(curesOf(status, 'public.b')).toMatchObject([{ action: { name: 'table.accept', target: 'public.b' } }])
  expect(curesOf(status, 'public.refused')).toMatchObject([
    { reason: 'it is unlogged', sql: 'alter table …', action: null },
  ])
  expect(curesOf(status, 'public.a')).toMatchObject([
    { reason: 'its view was dropped by hand in the target' },
    { command: 'npm run index -- remove public.a i' },
  ])
  expect(curesOf(status, 'public.none')).toEqual([])
})

test('versions of a contract say what each changed, and whether the rows were read again', () => {
  const contract = (changes: Partial<TableContract>) =>
    ({ relation: 1, version: 1, schema: 'public', table: 'a', generation: 1, columns: [], ...changes }) as TableContract
  const versions = contractVersions(
    [
      { epoch: 2, contract: contract({ version: 3, generation: 2 }) },
      { epoch: 1, contract: contract({ version: 2, table: 'b' }) },
      { epoch: 1, contract: contract({}) },
    ],
    [
      { epoch: 2, relation: 1, version: 3, at: '2026-11-30T14:05:03.000001Z' },
      { epoch: 2, relation: 1, version: 2, at: '2026-11-29T00:00:00.000000Z' },
      { epoch: 2, relation: 7, version: 1, at: '2026-11-28T00:00:00.000000Z' },
    ],
  )

  expect(versions.map(({ version, effect }) => [version, effect])).toEqual([
    [3, 'new generation'],
    [2, 'in place'],
    [1, 'first'],
  ])
  expect(versions.map(({ at }) => at)).toEqual(['2026-11-30T14:05:03.000001Z', null, null])
  expect(versions[1]!.differences).toEqual(['the table was renamed from public.a to public.b'])
  expect(versions[2]!.differences).toEqual([])
})
