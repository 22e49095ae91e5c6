import { afterEach, beforeEach, expect, test } from 'vitest'
import { UNAVAILABLE_PLACEHOLDER } from '#core/codecs/unavailable.ts'
import { ChangeLog, columnContract, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeLatestState } from './latest-state.ts'

let target: TestDatabase

beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

const apply = (records: readonly LoggedRecord[], topicPartition = 0) =>
  makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition }, records)
const history = async (columns = 'op, before, after') =>
  (await target.pool.query(`select ${columns} from tidemark.change_log order by lsn, op`)).rows
const row = (id: number, name: string, amount: string | null = null) => ({ id, name, amount })
const kept = (id: number, name: string, amount: number | null = null) => ({ id, name, amount })

/** The changes of one row, one by one in the log. */
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

test('history holds once what capture delivers again', async () => {
  const log = life()
  await apply(log.records)
  const again = life().records.slice(1)
  for (const { value } of again) log.append(value)
  await apply(log.records)
  expect(await history()).toEqual(expected)
})

test('history holds changes from before a truncate once when capture delivers them again, and also new ones from before it', async () => {
  const log = new ChangeLog().contract(ordersContract()).create(row(1, 'a'), { lsn: 10 }).truncate({ lsn: 20 })
  await apply(log.records)
  await apply(log.create(row(1, 'a'), { lsn: 10 }).create(row(2, 'late'), { lsn: 15 }).truncate({ lsn: 20 }).records)

  expect((await history('op, after')).map(({ op, after }) => [op, after?.name])).toEqual([
    ['insert', 'a'],
    ['insert', 'late'],
    ['truncate', undefined],
  ])
})

test('history holds changes once that capture sends again while the next snapshot of the table is under way', async () => {
  const log = new ChangeLog().contract(ordersContract()).create(row(1, 'a'), { lsn: 10 })
  log.delete({ id: 1 }, { lsn: 11 }).create(row(1, 'b'), { lsn: 12 })
  await apply(log.records)
  log.contract(ordersContract({ version: 2, generation: 2, complete: false }), { lsn: 13 })
  await apply(log.start().delete({ id: 1 }, { lsn: 11 }).records)
  await apply(log.create(row(1, 'b'), { lsn: 12 }).records)

  expect((await history('op')).map(({ op }) => op)).toEqual(['insert', 'delete', 'insert'])
})

test('a value that an update left as it was is there also where another topic partition has truncated the row away', async () => {
  const contract = ordersContract({ topicPartitions: 2 })
  const rows = new ChangeLog(1).contract(contract).create(row(1, 'a'), { lsn: 10 })
  await apply(rows.records, 1)
  await apply(new ChangeLog().contract(contract).truncate({ lsn: 20 }).records)
  await apply(rows.update(row(1, UNAVAILABLE_PLACEHOLDER, '2.00'), { lsn: 11 }).records, 1)

  expect(await history()).toEqual([
    { op: 'insert', before: null, after: kept(1, 'a') },
    { op: 'update', before: kept(1, 'a'), after: kept(1, 'a', 2) },
    { op: 'truncate', before: null, after: null },
  ])
})

test('a key change that comes again behind a truncate is recognized by the row that followed, also when its day in history is gone', async () => {
  const before = (log: ChangeLog) =>
    log
      .create(row(1, 'a'), { lsn: 10 })
      .delete({ id: 1 }, { lsn: 11, headers: { newKey: '{"id":2}' } })
      .create(row(2, UNAVAILABLE_PLACEHOLDER, '7.00'), { lsn: 11, headers: { oldKey: '{"id":1}' } })
  const log = before(new ChangeLog().start().contract(ordersContract()))
  await apply(log.truncate({ lsn: 20 }).create(row(2, 'b'), { lsn: 30 }).records)
  await target.pool.query('delete from tidemark_rows.change where lsn < 30')
  await apply(before(log.start()).records)
  await apply(log.update(row(2, 'c'), { lsn: 31 }).records)

  expect((await history()).slice(-2)).toEqual([
    { op: 'insert', before: null, after: kept(2, 'b') },
    { op: 'update', before: kept(2, 'b'), after: kept(2, 'c') },
  ])
})

test('a value of a row that is truncated away is not taken from before the time that history was off', async () => {
  const turn = (on: boolean) => target.pool.query(`select tidemark.set_history('public.orders', $1)`, [on])
  const contract = ordersContract({ topicPartitions: 2 })
  const rows = new ChangeLog(1).contract(contract).create(row(1, 'a'), { lsn: 10 })
  await apply(rows.records, 1)
  await turn(false)
  await apply(rows.update(row(1, 'b'), { lsn: 11 }).records, 1)
  await turn(true)
  await apply(new ChangeLog().contract(contract).truncate({ lsn: 20 }).records)
  await apply(rows.update(row(1, UNAVAILABLE_PLACEHOLDER, '2.00'), { lsn: 12 }).records, 1)

  expect((await history())[1]).toEqual({ op: 'update', before: null, after: { id: 1, name: null, amount: 2 } })
})

test('quarantined changes of a stopped table are applied by their contracts, also once a later generation has come', async () => {
  const columns = [...ordersContract().columns, columnContract(4, 'note', 'text', { missing: 'none' })]
  const log = new ChangeLog().contract(ordersContract()).create(row(1, 'a'), { lsn: 10 })
  await apply(log.records)
  await target.pool.query(`select tidemark.stop_table(4711, 1, 'public', 'orders', 'it waits', 'accept', false)`)
  log.contract(ordersContract({ version: 2, columns }), { lsn: 11 })
  log.update({ ...row(1, 'b'), note: 'new' }, { lsn: 12 })
  await apply(
    log.contract(ordersContract({ version: 3, columns, generation: 2, complete: false }), { lsn: 13 }).records,
  )
  await target.pool.query(`select tidemark.accept('public.orders')`)
  await apply([])

  expect((await target.pool.query('select reason from tidemark.stopped_table')).rows).toEqual([])
  expect((await history())[1]).toEqual({
    op: 'update',
    before: { ...kept(1, 'a'), note: 'none' },
    after: { ...kept(1, 'b'), note: 'new' },
  })
})

test('a change that comes late, between saying what goes and deleting it, is not missed by the one behind it', async () => {
  const at = (daysAgo: number) => ({ committedAtMs: Date.now() - daysAgo * 86_400_000 })
  const log = new ChangeLog().contract(ordersContract()).create(row(1, 'a'), { lsn: 10, ...at(4) })
  await apply(log.records)
  await target.pool.query(`select tidemark.set_history('public.orders', retention => '1 day')`)
  await target.pool.query('select tidemark.end_changes()')
  await apply(log.update(row(1, 'late'), { lsn: 11, ...at(3) }).records)
  await target.pool.query('select tidemark.prune_changes()')
  await apply(log.update(row(1, 'c'), { lsn: 12, ...at(0) }).records)

  expect(await history()).toEqual([
    { op: 'update', before: kept(1, 'a'), after: kept(1, 'late') },
    { op: 'update', before: kept(1, 'late'), after: kept(1, 'c') },
  ])
})

test('a table whose history is off has none', async () => {
  const { records } = life()
  await apply(records.slice(0, 1))
  await target.pool.query(`select tidemark.set_history('public.orders', false)`)
  await apply(records)
  expect(await history()).toEqual([])
})

test('behind changes that were not kept, the row before a change is the row as stored', async () => {
  const { records } = life()
  const turn = (on: boolean) => target.pool.query(`select tidemark.set_history('public.orders', $1)`, [on])
  await apply(records.slice(0, 2))
  await turn(false)
  await apply(records.slice(0, 3))
  await turn(true)
  await apply(records.slice(0, 4))
  await turn(false)
  await apply(records.slice(0, 5))
  await turn(true)
  await apply(records)

  expect(await history()).toEqual([expected[0], expected[2], expected[4]])
})

test('a column that was added has in the row before what rows from before have in it', async () => {
  const { columns } = ordersContract()
  const added = columnContract(4, 'note', 'text', { missing: 'none' })
  const log = new ChangeLog().contract(ordersContract()).create(row(1, 'a', '1.50'), { lsn: 10 })
  await apply(log.records)
  log.contract(ordersContract({ version: 2, columns: [...columns, added] }), { lsn: 11 })
  await apply(log.update({ ...row(1, 'b', '1.50'), note: 'new' }, { lsn: 12 }).records)

  expect(await history('op, before, after, changed')).toMatchObject([
    { op: 'insert', after: kept(1, 'a', 1.5) },
    {
      op: 'update',
      before: { ...kept(1, 'a', 1.5), note: 'none' },
      after: { ...kept(1, 'b', 1.5), note: 'new' },
      changed: { name: ['a', 'b'], note: ['none', 'new'] },
    },
  ])
})

test('history shows values as Postgres writes them, however they were sent', async () => {
  const types = {
    'numeric(12,2)': '1.5',
    numeric: '1.50',
    boolean: true,
    jsonb: '{"b": 1,  "a": 1.0}',
    json: '{"b": 1,  "a": 1.0}',
    'character(5)': 'ab   ',
    'character varying(9)': 'ab  ',
    '"char"': 'a',
    real: 0.1,
    'timestamp with time zone': '2026-01-01T12:00:00.5Z',
    'timestamp(3) without time zone': 1_700_000_000_123_000,
    date: 20_000,
    'time without time zone': 1_000_000,
    interval: 'P1Y2M3DT4H5M6.7S',
    bytea: 'AP8=',
    inet: '10.0.0.1',
    'integer[]': [1, null],
    'text[]': ['a,"b\\', null],
    'numeric(5,1)[]': ['1.5', '2'],
    int4range: '[1,5)',
    point: { x: 1, y: 2.5, wkb: 'AQEAAAAAAAAAAADwPwAAAAAAAARA', srid: null },
    uuid: 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
  }
  const columns = Object.keys(types).map((type, i) => columnContract(i + 2, `${type} value`, type))
  const names = columns.map(({ name }) => name)
  const row = { id: 1, ...Object.fromEntries(Object.values(types).map((value, i) => [names[i], value])) }
  const contract = ordersContract({ columns: [ordersContract().columns[0]!, ...columns] })
  await apply(new ChangeLog().contract(contract).create(row, { lsn: 10 }).update(row, { lsn: 11 }).records)

  expect((await target.pool.query('select reason from tidemark.stopped_table')).rows).toEqual([])
  const texts = columns.map(({ number }) => `c${number}::text`)
  const { rows } = await target.pool.query(
    `select tidemark.row_image($1, $2, array[c1::text, ${texts}]) as row from tidemark_rows.t4711_1`,
    [
      ['id', ...names],
      ['bigint', ...Object.keys(types)],
    ],
  )
  expect(await history('before, after, changed')).toEqual([
    { before: null, after: rows[0].row, changed: null },
    { before: rows[0].row, after: rows[0].row, changed: {} },
  ])
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

test('characters of a message that Postgres cannot store do not delay the changes', async () => {
  const log = life()
  log.audit({ who: 'a\0b', why: '\ud800' }, { lsn: 11, txId: 6 })
  await apply(log.records)
  expect((await history('op, who, why'))[1]).toEqual({ op: 'update', who: 'a\ufffdb', why: '\ufffd' })
})

test('the row before a change is the one that an equal key left, though that was written differently and came elsewhere', async () => {
  const columns = [columnContract(1, 'id', 'numeric', { key: 1, nullable: false }), columnContract(2, 'name', 'text')]
  const contract = ordersContract({ columns, topicPartitions: 2 })
  const first = new ChangeLog(0).contract(contract).create({ id: '1.0', name: 'a' }, { lsn: 10 })
  await apply(first.update({ id: '1.0', name: 'x' }, { lsn: 11 }).delete({ id: '1.0' }, { lsn: 12 }).records)
  const second = new ChangeLog(1).contract(contract).create({ id: '1.00', name: 'new' }, { lsn: 14 })
  await apply(second.records, 1)
  await apply(
    second.update({ id: '1.00', name: 'b' }, { lsn: 15 }).update({ id: '1.00', name: 'c' }, { lsn: 16 }).records,
    1,
  )

  expect(await history(`op, before ->> 'name' as before, after ->> 'name' as after`)).toEqual([
    { op: 'insert', before: null, after: 'a' },
    { op: 'update', before: 'a', after: 'x' },
    { op: 'delete', before: 'x', after: null },
    { op: 'insert', before: null, after: 'new' },
    { op: 'update', before: 'new', after: 'b' },
    { op: 'update', before: 'b', after: 'c' },
  ])
})
