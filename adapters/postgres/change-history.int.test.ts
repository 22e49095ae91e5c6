import { afterEach, beforeEach, expect, test } from 'vitest'
import { UNAVAILABLE_PLACEHOLDER } from '#core/codecs/unavailable.ts'
import { ChangeLog, type LoggedRecord, ordersContract } from '#test-support/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/database.ts'
import { makeLatestState } from './latest-state.ts'

let target: TestDatabase

beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

const apply = (records: readonly LoggedRecord[]) =>
  makeLatestState(target.pool).apply(
    { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 },
    records,
  )
const history = async (columns = 'op, before, after') =>
  (await target.pool.query(`select ${columns} from tidemark.change_log order by lsn, op`)).rows
const row = (id: number, name: string, amount: string | null = null) => ({ id, name, amount })
const kept = (id: number, name: string, amount: number | null = null) => ({ id, name, amount })

/** A row's life, its changes one by one in the log. */
const life = () =>
  new ChangeLog()
    .contract(ordersContract())
    .create(row(1, 'a', '1.50'), { lsn: 10, txId: 5 })
    .update(row(1, 'b', '1.50'), { lsn: 11, txId: 6 })
    .update({ ...row(1, UNAVAILABLE_PLACEHOLDER), amount: '2.00' }, { lsn: 12, txId: 7 })
    .delete({ id: 1 }, { lsn: 13, txId: 8 })
    .create(row(1, 'again'), { lsn: 14, txId: 9 })

const expected = [
  { op: 'insert', before: null, after: kept(1, 'a', 1.5) },
  { op: 'update', before: kept(1, 'a', 1.5), after: kept(1, 'b', 1.5) },
  { op: 'update', before: kept(1, 'b', 1.5), after: kept(1, 'b', 2) },
  { op: 'delete', before: kept(1, 'b', 2), after: null },
  { op: 'insert', before: null, after: kept(1, 'again') },
]

test('a row’s changes have the images before and after, in one batch', async () => {
  await apply(life().records)
  expect(await history()).toEqual(expected)
})

test('a row’s changes have the images before and after, over many batches', async () => {
  const { records } = life()
  for (let end = 1; end <= records.length; end++) await apply(records.slice(0, end))
  expect(await history()).toEqual(expected)
})

test('what capture delivers again is there once', async () => {
  const log = life()
  await apply(log.records)
  const again = life().records.slice(1)
  for (const { value } of again) log.append(value)
  await apply(log.records)
  expect(await history()).toEqual(expected)
})

test('a table whose history is off has none', async () => {
  const { records } = life()
  await apply(records.slice(0, 1))
  await target.pool.query(`select tidemark.set_history('public.orders', false)`)
  await apply(records)
  expect(await history()).toEqual([])
})

test('rows that are read and truncates are there, too', async () => {
  const log = new ChangeLog().contract(ordersContract()).initialRead(row(1, 'read'), { lsn: 5 }).truncate({ lsn: 20 })
  await apply(log.records)
  expect(await history()).toEqual([
    { op: 'read', before: null, after: kept(1, 'read') },
    { op: 'truncate', before: null, after: null },
  ])
})

test('who and why come from the transaction’s messages, whichever topic partition brings them', async () => {
  const log = life()
  log.audit({ who: 'alice', why: 'refund' }, { lsn: 11, txId: 6 }).audit({ who: 'bob' }, { lsn: 13, txId: 8 })
  await apply(log.records)
  expect(await history('op, who, why')).toMatchObject([
    { op: 'insert', who: null },
    { op: 'update', who: 'alice', why: 'refund' },
    { op: 'update', who: null },
    { op: 'delete', who: 'bob' },
    { op: 'insert', who: null },
  ])
})

test('what Postgres cannot store in a message does not hold up the changes', async () => {
  const log = life()
  log.audit({ who: 'a\0b', why: '\ud800' }, { lsn: 11, txId: 6 })
  await apply(log.records)
  expect((await history('op, who, why'))[1]).toEqual({ op: 'update', who: 'a\ufffdb', why: '\ufffd' })
})
