import { afterEach, beforeEach, expect, test } from 'vitest'
import { commandFor } from '#core/recovery/stop-reasons.ts'
import { ChangeLog, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeUserState } from '../user-state/user-state.ts'
import { makeLatestState } from './latest-state.ts'

const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }
const settings = { quarantineLimit: 3 }

let target: TestDatabase

beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

const query = async (sql: string) => (await target.pool.query(sql)).rows
const kept = async () =>
  (await query('select record_offset::int from tidemark.quarantine order by 1')).map((row) => row.record_offset)
const stops = () => query('select repair, reason, not_kept_since is not null as full from tidemark.stopped_table')

/** Applies each record as a delivery of its own. */
async function applyEach(records: readonly LoggedRecord[], topicPartition = 0): Promise<string[]> {
  const latestState = makeLatestState(target.pool, settings)
  const kinds: string[] = []
  for (const record of records) kinds.push((await latestState.apply({ ...key, topicPartition }, [record])).kind)
  return kinds
}

/** The log of a table whose name is taken in the target, and of another table. */
const stopping = async (changes: number) => {
  await query('create table public.orders (theirs int)')
  const log = new ChangeLog().contract(ordersContract()).contract(ordersContract({ relation: 5000, table: 'parcels' }))
  for (let id = 1; id <= changes; id++) {
    log.create({ id, name: 'o', amount: null }, { lsn: 10 * id })
    log.create({ id, name: 'p', amount: null }, { lsn: 10 * id + 1, table: 'parcels' })
  }
  return log
}

test('the quarantine takes a limited number of changes of a stopped table, and then its rows have to be read again', async () => {
  const log = await stopping(3)
  await applyEach(log.records)
  expect(await stops()).toMatchObject([{ repair: 'accept', full: false }])

  log.create({ id: 4, name: 'o', amount: null }, { lsn: 40 })
  log.create({ id: 4, name: 'p', amount: null }, { lsn: 41, table: 'parcels' })
  expect(new Set(await applyEach(log.records.slice(-2)))).toEqual(new Set(['applied']))

  expect(await kept()).toEqual([2, 4, 6])
  expect(await query('select id::int from public.parcels order by id')).toEqual([1, 2, 3, 4].map((id) => ({ id })))
  const [stop] = await stops()
  expect(stop).toMatchObject({ repair: 'resync', full: true })
  expect(stop!['reason']).toMatch(
    /^the quarantine is full for it: it has 3 of its changes in changes-0, .*read again\. It was stopped because .*public\.orders is in the target/,
  )
  await query('drop table public.orders')
  await expect(query(`select tidemark.accept('public.orders')`)).rejects.toThrow('its rows have to be read again')
})

test('a table for which the quarantine was full equals the source after a resync', async () => {
  const log = await stopping(5)
  await applyEach(log.records)
  await query('drop table public.orders')
  const read = ordersContract({ generation: 2, version: 2, complete: false })
  const before = log.records.length
  log.contract(read, { lsn: 100 })
  for (const id of [1, 2, 5]) log.incrementalRead({ id, name: 'read', amount: null })
  log.contract({ ...read, version: 3, complete: true }, { lsn: 102 })
  log.create({ id: 6, name: 'after', amount: null }, { lsn: 110 })

  await applyEach(log.records.slice(before))

  expect(await query('select id::int from public.orders order by id')).toEqual([1, 2, 5, 6].map((id) => ({ id })))
  expect(await kept()).toEqual([])
  expect(await stops()).toEqual([])
})

test('a table that stops again during the snapshot of its rows cannot be accepted without the changes that were not quarantined', async () => {
  const log = await stopping(5)
  await applyEach(log.records)

  await query(`select tidemark.stop_table(4711, 2, 'public', 'orders', 'in the way', 'accept', false)`)

  expect(await stops()).toEqual([{ repair: 'resync', reason: 'in the way', full: true }])
})

test('the quarantined changes of an accepted table are applied in order, however many there are', async () => {
  const log = await stopping(3)
  await applyEach(log.records)
  await query('drop table public.orders')
  await query(`select tidemark.accept('public.orders')`)

  log.create({ id: 4, name: 'o', amount: null }, { lsn: 40 })
  await applyEach(log.records.slice(-1))

  expect(await query('select id::int from public.orders order by id')).toEqual([1, 2, 3, 4].map((id) => ({ id })))
  expect(await stops()).toEqual([])
})

test('once the quarantine is full for a table in one topic partition, nothing more of it is quarantined in the others', async () => {
  const log = await stopping(4)
  await applyEach(log.records)
  const before = await kept()

  const other = new ChangeLog(1).contract(ordersContract()).create({ id: 7, name: 'o', amount: null }, { lsn: 70 })
  await applyEach(other.records, 1)

  expect(await kept()).toEqual(before)
})

test('records that belong to no table stop their topic partition once the quarantine is full of them, and no record is lost', async () => {
  const log = new ChangeLog().append('one').append('two').append('three')
  log.contract(ordersContract()).append('four').create({ id: 1, name: 'a', amount: null }, { lsn: 10 })

  expect(await applyEach(log.records.slice(0, 4))).toEqual(['applied', 'applied', 'applied', 'applied'])
  const latestState = makeLatestState(target.pool, settings)
  expect(await latestState.apply(key, log.records.slice(4))).toMatchObject({ kind: 'stopped', atOffset: 4 })
  const [stop] = await query('select at_offset::int, reason from tidemark.stop')
  expect(stop).toMatchObject({
    at_offset: 4,
    reason: expect.stringContaining('npm run quarantine -- discard all'),
  })
  expect(stop!['reason']).toContain('3 records of changes-0')
  expect(commandFor(key.consumer, stop!['reason'])).toBe('npm run quarantine -- discard all')
  expect(await query('select next_offset::int from tidemark.progress')).toEqual([{ next_offset: 4 }])

  await query(`select tidemark.discard('all')`)
  expect(await latestState.apply(key, log.records.slice(4))).toMatchObject({ kind: 'applied' })

  expect(await kept()).toEqual([4])
  expect(await query('select id::int from public.orders')).toEqual([{ id: 1 }])
  expect(await query('select from tidemark.stop')).toEqual([])
})

test('malformed user events stop their topic partition in the same way, and can be retried while the quarantine is full', async () => {
  const events = { consumer: 'tidemark-user-state', topic: 'user-events', topicPartition: 3 }
  const log = new ChangeLog().append('one').append('two').append('three').append('four')
  const userState = makeUserState(target.pool, settings)
  await userState.apply(events, log.records.slice(0, 3))

  expect(await userState.apply(events, log.records.slice(3))).toMatchObject({ kind: 'stopped', atOffset: 3 })
  await query(`select tidemark.retry('all')`)
  await userState.apply(events, [])
  expect(await kept()).toEqual([0, 1, 2])

  await query(`select tidemark.discard('user-events-3@1')`)
  expect(await userState.apply(events, log.records.slice(3))).toMatchObject({ kind: 'applied' })
  expect(await kept()).toEqual([0, 2, 3])
})
