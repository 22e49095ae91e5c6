import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { topicPartitionsToRetry } from '#adapters/postgres/delivery/quarantine.ts'
import { makeObserveTarget } from '#adapters/postgres/status/target-observation.ts'
import { makeUserState } from '#adapters/postgres/user-state/user-state.ts'
import { ChangeLog, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { describeQuarantine, describeRecord } from './quarantine-listing.ts'
import { groupQuarantined, listQuarantined, readQuarantined } from './quarantined-records.ts'

let target: TestDatabase
let client: pg.Client

beforeEach(async () => {
  target = await createDatabase('target')
  client = new pg.Client({ connectionString: target.url })
  await client.connect()
})
afterEach(async () => {
  await client.end()
  await target.drop()
})

const applyChanges = (records: readonly LoggedRecord[]) =>
  makeLatestState(target.pool).apply(
    { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 },
    records,
  )
const applyEvents = (records: readonly LoggedRecord[]) =>
  makeUserState(target.pool).apply(
    { consumer: 'tidemark-user-state', topic: 'user-events', topicPartition: 3 },
    records,
  )
const run = async (text: string, what: string) =>
  (await client.query(`select tidemark.${text}($1)::int as n`, [what])).rows[0].n
const stops = async () => (await makeObserveTarget(target.pool)()).stopped
const places = async () => (await listQuarantined(client, 'all', 100)).map(({ place }) => place)

/** The log of a record that is not a change, and of a record of a table, which it stops. */
const stopping = () =>
  new ChangeLog()
    .contract(ordersContract())
    .append('nonsense')
    .create({ id: 1, name: 'a', amount: 'nonsense' }, { lsn: 10 })
    .create({ id: 2, name: 'b', amount: null }, { lsn: 11 })

test('quarantined records are listed by reason and by place, and one record is shown whole', async () => {
  await applyChanges(stopping().records)

  const lines = describeQuarantine(await groupQuarantined(client), await listQuarantined(client, 'all', 2), 120)
  expect(lines[0]).toBe('3 records are in quarantine:')
  expect(lines.at(-1)).toBe('… and 1 more: --limit shows them')
  expect(lines.every((line) => line.length <= 120)).toBe(true)
  const record = await readQuarantined(client, 'changes-0@1')
  expect(describeRecord(record!)).toEqual(expect.arrayContaining(['place    changes-0@1', 'value', 'nonsense']))
})

test('a reader is shown a few quarantined records without all of them being read', async () => {
  await applyChanges(stopping().records)
  await client.query('set role tidemark_read')

  expect(await listQuarantined(client, 'public.orders', 1)).toMatchObject([{ place: 'changes-0@2' }])
  const { rows } = await client.query(`explain select * from tidemark.kept('all') limit 1`)
  expect(rows.map((row) => row['QUERY PLAN']).join('\n')).not.toContain('Function Scan')
})

test('a record keeps the bytes that its text cannot hold', async () => {
  const bytes = Buffer.from('ff007b', 'hex')
  const [record] = new ChangeLog().append(bytes.toString('utf8')).records as [LoggedRecord]

  await makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }, [
    { ...record, bytes: () => ({ key: undefined, value: bytes }) } as LoggedRecord,
  ])

  expect((await readQuarantined(client, 'changes-0@0'))?.value).toEqual(bytes)
  expect(describeRecord((await readQuarantined(client, 'changes-0@0'))!).at(-1)).toBe('bytes ff007b')
})

test('a quarantined record that is no change can be discarded; one of a captured table cannot', async () => {
  await applyChanges(stopping().records)

  await expect(run('discard', 'public.orders')).rejects.toThrow('its rows would lack them')
  await expect(run('discard', 'changes-0@3')).rejects.toThrow('its rows would lack them')
  await expect(run('discard', 'changes-0@99')).rejects.toThrow('no record in quarantine')
  expect(await run('discard', 'changes-0@1')).toBe(1)
  expect(await places()).toEqual(['changes-0@2', 'changes-0@3'])
  await applyChanges(stopping().append('again').records.slice(4))
  expect(await run('discard', 'all')).toBe(1)
  expect(await places()).toEqual(['changes-0@2', 'changes-0@3'])
})

test('quarantined records of a table that was never shown cannot be discarded, because they are all of its rows', async () => {
  await client.query('create table public.orders (theirs int)')
  await applyChanges(
    new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 }).records,
  )

  await expect(run('discard', 'public.orders')).rejects.toThrow('its rows would lack them')
  expect(await run('discard', 'all')).toBe(0)
  expect(await places()).toEqual(['changes-0@1'])
})

test('a table that was renamed while it was stopped has one stop, under its name of now', async () => {
  const stop = (table: string, generation: number) =>
    client.query(`select tidemark.stop_table(4711, $2, 'public', $1, 'no', 'accept', false)`, [table, generation])
  await stop('orders', 2)
  await run('accept', 'public.orders').catch(() => undefined)

  await stop('orders_b', 1)

  const { rows } = await client.query('select table_name, generation, accepted_at from tidemark.stopped_table')
  expect(rows).toEqual([{ table_name: 'orders_b', generation: 2, accepted_at: null }])
})

test('a table that no contract names is applied again when its quarantined records are discarded', async () => {
  await applyChanges(new ChangeLog().create({ id: 1 }, { lsn: 10, table: 'forged' }).records)
  expect(await stops()).toMatchObject([{ name: 'public.forged', isOf: 'unknown' }])

  expect(await run('discard', 'public.forged')).toBe(1)

  expect(await stops()).toEqual([])
})

test('a stop by a change that came after the drop of its table ends when the change is discarded, whatever has the name now', async () => {
  const log = new ChangeLog()
    .contract(ordersContract())
    .contract(ordersContract({ version: 2, dropped: true }), { lsn: 20 })
    .contract(ordersContract({ relation: 5000 }), { lsn: 30 })
  await applyChanges(log.records)
  await client.query(
    `select tidemark.stop_table(4711, 1, 'public', 'orders', 'a change follows the drop of the table', 'resync', false)`,
  )
  await client.query(
    `insert into tidemark.quarantine (topic, topic_partition, record_offset, relation, table_name, reason)
     values ('changes', 1, 7, 4711, 'public.orders', 'a change follows the drop of the table')`,
  )
  expect(await stops()).toMatchObject([{ name: 'public.orders', isOf: 'dropped' }])

  expect(await run('discard', 'public.orders')).toBe(1)

  expect(await stops()).toEqual([])
})

test('quarantined records of a renamed table are found by the name that its stop has', async () => {
  const log = stopping()
    .contract(ordersContract({ version: 2, table: 'purchases' }), { lsn: 20 })
    .contract(ordersContract({ version: 3, table: 'purchases', dropped: true }), { lsn: 30 })
  await applyChanges(log.records.slice(0, 5))
  expect((await listQuarantined(client, 'public.purchases', 9)).map(({ place }) => place)).toEqual([
    'changes-0@2',
    'changes-0@3',
  ])

  // A change of the dropped table that has its former name.
  await applyChanges(log.records)
  await client.query(
    `select tidemark.stop_table(4711, 1, 'public', 'purchases', 'a change follows the drop of the table', 'resync', false)`,
  )
  await client.query(
    `insert into tidemark.quarantine (topic, topic_partition, record_offset, relation, table_name, reason)
     values ('changes', 1, 7, 4711, 'public.orders', 'a change follows the drop of the table')`,
  )
  expect(await stops()).toMatchObject([{ name: 'public.purchases', isOf: 'dropped' }])

  expect(await run('discard', 'public.purchases')).toBe(3)

  expect(await stops()).toEqual([])
})

test('a stopped table that is renamed in the source is named as the source has it, so that it can be read again', async () => {
  const log = stopping().contract(ordersContract({ version: 2, table: 'purchases' }), { lsn: 20 })
  await applyChanges(log.records)

  expect(await stops()).toMatchObject([
    { name: 'public.purchases', repair: 'resync', isOf: 'captured', keptRecords: 2 },
  ])
})

test('user events are applied again by a delivery without records; those that still cannot be stay', async () => {
  const event = { id: 7, name: 'Ann', age: 40, op: 'insert', event_order: 1, ts: null }
  await applyEvents(new ChangeLog().append('nonsense').append('more nonsense').records)
  // An older release would have kept such a value.
  await client.query(`update tidemark.quarantine set record_value = $1 where record_offset = 0`, [
    JSON.stringify(event),
  ])

  expect(await run('retry', 'all')).toBe(2)
  expect(await topicPartitionsToRetry(client)).toEqual(['user-events-3'])
  await applyEvents([])

  expect((await client.query('select id::int from tidemark.latest_user_state')).rows).toEqual([{ id: 7 }])
  expect(await places()).toEqual(['user-events-3@1'])
  expect(await topicPartitionsToRetry(client)).toEqual([])
})

test('what cannot be applied later is refused, with the command that resolves it', async () => {
  await applyChanges(stopping().records)

  await expect(run('retry', 'changes-0@1')).rejects.toMatchObject({ hint: 'npm run quarantine -- discard changes-0@1' })
  await expect(run('retry', 'changes-0@2')).rejects.toMatchObject({ hint: 'npm run quarantine -- retry public.orders' })
  await expect(run('retry', 'public.orders')).rejects.toMatchObject({ hint: 'npm run resync -- public.orders' })
})
