import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChangeLog, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { type LatestState, makeLatestState } from './latest-state.ts'

let target: TestDatabase
let latestState: LatestState
let log: ChangeLog

/** The table is a leaf of `public.sales`, whose view shows its rows too. */
const leaf = { parents: [{ schema: 'public', table: 'sales' }] }

beforeEach(async () => {
  target = await createDatabase('target')
  latestState = makeLatestState(target.pool)
  log = new ChangeLog().contract(ordersContract(leaf)).create(order(1), { lsn: 10 }).beacon(1)
  await apply(log.records)
})
afterEach(() => target.drop())

const order = (id: number) => ({ id, name: 'a', amount: null })
const apply = (records: readonly LoggedRecord[]) =>
  latestState.apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }, records)
const rows = async (query: string) => (await target.pool.query(query)).rows
const run = (statements: string) => target.pool.query(statements)
const shown = (view = 'orders') => rows(`select id::int from public.${view} order by 1`)
const stopped = () => rows('select reason, repair, automatic from tidemark.stopped_table')

/**
 * The records of a resync: a contract with a new generation, the rows that are read, and the contract which says that
 * they are complete.
 */
const resync = (until: 'begun' | 'complete') => {
  log
    .contract(ordersContract({ ...leaf, version: 2, generation: 2, complete: false }))
    .incrementalRead(order(1))
    .incrementalRead(order(2))
  if (until === 'complete')
    log.contract(ordersContract({ ...leaf, version: 3, generation: 2, complete: true })).beacon(2)
  return apply(log.records)
}

test('a view that somebody dropped is reported and created again at once, and changes are applied meanwhile', async () => {
  await run('drop view public.orders, public.sales')

  await apply(log.create(order(2), { lsn: 20 }).records)

  expect(await stopped()).toEqual([])
  expect(await rows('select * from tidemark.missing_views() order by 2')).toEqual([
    { schema_name: 'public', table_name: 'orders' },
    { schema_name: 'public', table_name: 'sales' },
  ])
  await run(`select tidemark.restore_view('public', 'orders'), tidemark.restore_view('public', 'sales')`)
  expect([await shown(), await shown('sales')]).toEqual([
    [{ id: 1 }, { id: 2 }],
    [{ id: 1 }, { id: 2 }],
  ])
  expect(await rows('select * from tidemark.missing_views()')).toEqual([])
})

test('a view that somebody dropped is also created again by the next snapshot', async () => {
  await run('drop view public.orders')

  await resync('complete')

  expect(await shown()).toEqual([{ id: 1 }, { id: 2 }])
})

test('when somebody has dropped the rows of a table, only this table stops, and a resync that begins by itself shows it once it is complete', async () => {
  await run('drop table tidemark_rows.t4711_1 cascade')
  expect(await rows('select relation::int, table_name from tidemark.missing_rows()')).toEqual([
    { relation: 4711, table_name: 'orders' },
  ])

  await apply(log.create(order(2), { lsn: 20 }).records)
  expect(await stopped()).toEqual([
    { reason: 'its rows were dropped in the target', repair: 'resync', automatic: true },
  ])

  await resync('begun')
  // While only some rows have been read, neither the table nor its parent is shown.
  expect(await rows(`select to_regclass('public.orders') as own, to_regclass('public.sales') as parent`)).toEqual([
    { own: null, parent: null },
  ])

  await resync('complete')
  expect([await shown(), await shown('sales')]).toEqual([
    [{ id: 1 }, { id: 2 }],
    [{ id: 1 }, { id: 2 }],
  ])
  expect(await stopped()).toEqual([])
  expect(await rows('select * from tidemark.missing_rows()')).toEqual([])
})
