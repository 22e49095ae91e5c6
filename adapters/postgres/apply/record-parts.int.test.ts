import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChangeLog, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { type LatestState, makeLatestState } from './latest-state.ts'

let target: TestDatabase
let latestState: LatestState

beforeEach(async () => {
  target = await createDatabase('target')
  latestState = makeLatestState(target.pool)
})
afterEach(() => target.drop())

const apply = (records: readonly LoggedRecord[]) =>
  latestState.apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }, records)
const rows = async (query: string) => (await target.pool.query(query)).rows
const orders = () => rows('select id, name from public.orders order by id')
const stored = async () => (await rows('select record_id, part_index from tidemark.record_part')).length

/** Appends a record of another log to `log` in parts, of which only the first `coming` are sent. */
function appendInParts(log: ChangeLog, large: LoggedRecord, count: number, id: number, coming = count): void {
  const { value, key, headers } = large
  const source = JSON.parse(value!).source
  const size = Math.ceil(value!.length / count)
  for (let index = 0; index < coming; index++) {
    const text = value!.slice(index * size, (index + 1) * size)
    const part = { id: `00000000-0000-4000-8000-00000000000${id}`, index, count, text }
    log.append(JSON.stringify({ tidemark_part: part, op: 'c', source }), key, headers)
  }
}

const created = (id: number, name: string, lsn: number): LoggedRecord =>
  new ChangeLog().create({ id, name, amount: null }, { lsn }).records[0]!

test('a large row is visible with its last part, not before, whatever deliveries its parts come in', async () => {
  const log = new ChangeLog().contract(ordersContract())
  appendInParts(log, created(1, 'ä"\\€😀'.repeat(1000), 10), 4, 1)
  log.create({ id: 2, name: 'small', amount: null }, { lsn: 11 })

  for (const record of log.records.slice(0, 4)) await apply([record])
  await expect(orders()).resolves.toEqual([])
  expect(await stored()).toBe(3)
  await apply(log.records.slice(2))

  expect(await orders()).toEqual([
    { id: '1', name: 'ä"\\€😀'.repeat(1000) },
    { id: '2', name: 'small' },
  ])
  expect(await stored()).toBe(0)
})

test('a large row that capture sends again after it was killed between two parts is applied once', async () => {
  const log = new ChangeLog().contract(ordersContract())
  const large = created(1, 'x'.repeat(5000), 10)
  appendInParts(log, large, 4, 1, 2)
  log.create({ id: 2, name: 'small', amount: null }, { lsn: 9 })
  appendInParts(log, large, 3, 2)

  for (const record of log.records) await apply([record])

  expect(await orders()).toEqual([
    { id: '1', name: 'x'.repeat(5000) },
    { id: '2', name: 'small' },
  ])
  expect(await stored()).toBe(0)
  expect(await rows('select 1 from tidemark.quarantine')).toEqual([])
})

test('a large row of a stopped table is quarantined whole, and applied once the table is accepted', async () => {
  const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 9 })
  await apply(log.records)
  await target.pool.query(
    `insert into tidemark.stopped_table (relation, generation, schema_name, table_name, reason, repair)
     values (4711, 1, 'public', 'orders', 'a test', 'accept')`,
  )
  const texts = [1, 2, 3].map((n) => `${n}`.repeat(9_000_000))
  for (const [i, text] of texts.entries()) appendInParts(log, created(i + 2, text, 10 + i), 4, i + 1)

  await apply(log.records.slice(2))
  expect(await rows('select octet_length(record_value) > 9e6 as large from tidemark.quarantine')).toEqual(
    texts.map(() => ({ large: true })),
  )
  await target.pool.query(`select tidemark.accept('public.orders')`)
  // Memory suffices for two of the records at a time, not for all that are quarantined.
  for (let id = 9; id < 12; id++) {
    log.create({ id, name: 'later', amount: null }, { lsn: 20 + id })
    await apply(log.records.slice(-1))
  }

  expect(await rows('select id, length(name) from public.orders where id < 9 order by id')).toEqual([
    { id: '1', length: 1 },
    ...[2, 3, 4].map((id) => ({ id: `${id}`, length: 9_000_000 })),
  ])
  expect(await rows('select 1 from tidemark.stopped_table')).toEqual([])
})

test('a part that comes without those before it stops only its table, and causes a resync of it', async () => {
  const log = new ChangeLog().contract(ordersContract())
  log.contract(ordersContract({ relation: 4712, table: 'sales' }))
  const parts = new ChangeLog()
  appendInParts(parts, created(1, 'x'.repeat(100), 10), 3, 1)
  log.append(parts.records[1]!.value, parts.records[1]!.key)
  log.create({ id: 2, name: 'other', amount: null }, { lsn: 11, table: 'sales' })

  await apply(log.records)

  expect(await rows('select table_name, reason, automatic from tidemark.stopped_table')).toEqual([
    { table_name: 'orders', reason: 'a part of a large row came without the parts before it', automatic: true },
  ])
  expect(await rows('select name from public.sales')).toEqual([{ name: 'other' }])
})

test('a row that is too large even for parts stops its table alone, with the columns to shrink', async () => {
  const log = new ChangeLog().contract(ordersContract())
  log.contract(ordersContract({ relation: 4712, table: 'sales' }))
  const { source } = JSON.parse(created(1, 'x', 10).value!)
  const oversize = { bytes: 90e6, limit: 64e6, key: '{"id":1}', columns: { name: 89e6 } }
  log.append(JSON.stringify({ tidemark_oversize: oversize, op: 'c', source }), '{"key":{"id":1}}')
  log.create({ id: 2, name: 'other', amount: null }, { lsn: 11, table: 'sales' })

  await apply(log.records)

  const [stop] = await rows('select table_name, reason, repair, automatic from tidemark.stopped_table')
  expect(stop).toMatchObject({ table_name: 'orders', repair: 'resync', automatic: false })
  expect(stop!.reason).toContain('90.0 MB of JSON (key {"id":1}, column name 89.0 MB)')
  expect(await rows('select name from public.sales')).toEqual([{ name: 'other' }])
})
