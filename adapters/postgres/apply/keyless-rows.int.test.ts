import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChangeLog, columnContract, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeLatestState } from './latest-state.ts'

const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }

let target: TestDatabase

beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

/** Each delivery is applied by a new process, which has nothing cached. */
const apply = (records: readonly LoggedRecord[]) => makeLatestState(target.pool).apply(key, records)
const query = async (text: string) => (await target.pool.query(text)).rows
const lines = async () => (await query('select line from public.log order by line')).map(({ line }) => line)
const log = { table: 'log' }

/** A contract of the keyless table `public.log (line text, at numeric)`, with the changes of a test. */
const contract = (changes = {}) =>
  ordersContract({
    table: 'log',
    replicaIdentity: 'full',
    columns: [columnContract(1, 'line', 'text'), columnContract(2, 'at', 'numeric')],
    ...changes,
  })
const row = (line: string, at: string | null = null) => ({ line, at })
const begin = () => new ChangeLog().start().contract(contract())

test('equal rows are counted, and one less of them is one less', async () => {
  const changes = begin()
  for (let i = 0; i < 3; i++) changes.create(row('a'), { ...log, lsn: 10, txId: 7 })
  changes.change('d', row('a'), null, { ...log, lsn: 11, txId: 7 })
  changes.change('u', row('a'), row('b', '1.0'), { ...log, lsn: 12, txId: 7 })

  await apply(changes.records)

  expect(await query('select * from public.log order by 1')).toEqual([
    { line: 'a', at: null },
    { line: 'b', at: '1.0' },
  ])
})

test('records that capture delivers again after a start count once, also rows of a COPY that are equal and share an lsn', async () => {
  const copy = (changes: ChangeLog, rows: number) => {
    for (let i = 0; i < rows; i++) changes.create(row('a'), { ...log, lsn: 10, txId: 7 })
    return changes
  }
  const changes = copy(begin(), 2)
  await apply(changes.records)
  copy(changes.start(), 4)
  await apply(changes.records)
  copy(changes.start(), 4).create(row('b'), { ...log, lsn: 20, txId: 8 })

  await apply(changes.records)

  expect(await lines()).toEqual(['a', 'a', 'a', 'a', 'b'])
})

test('rows that a snapshot saw are not counted again when their change is streamed, others are', async () => {
  const changes = begin()
  changes.readBeacon('10:12:10').initialRead(row('seen'), log)
  changes.create(row('seen'), { ...log, lsn: 10, txId: 11 }).create(row('running'), { ...log, lsn: 11, txId: 10 })
  changes.create(row('later'), { ...log, lsn: 12, txId: 12 })

  await apply(changes.records)

  expect(await lines()).toEqual(['later', 'running', 'seen'])
})

test('an initial snapshot that begins again replaces what the interrupted one read', async () => {
  const changes = begin().readBeacon('10:10:').initialRead(row('deleted meanwhile'), log).initialRead(row('a'), log)
  await apply(changes.records)

  await apply(changes.start().readBeacon('20:20:').initialRead(row('a'), log).records)

  expect(await lines()).toEqual(['a'])
})

test('a new generation gets all rows by a snapshot and is shown when it is complete', async () => {
  const changes = begin()
    .create(row('a'), { ...log, lsn: 10, txId: 5 })
    .beacon(1)
  changes.contract(contract({ version: 2, generation: 2, complete: false }), { lsn: 20 })
  changes
    .create(row('b'), { ...log, lsn: 21, txId: 6 })
    .readBeacon('7:7:', { snapshotOf: { relation: 4711, generation: 2 } })
  changes.initialRead(row('a'), log).initialRead(row('b'), log)
  changes.create(row('b'), { ...log, lsn: 21, txId: 6 }).create(row('c'), { ...log, lsn: 30, txId: 8 })
  await apply(changes.records)
  expect(await lines()).toEqual(['a'])

  await apply(changes.contract(contract({ version: 3, generation: 2 }), { lsn: 40 }).records)

  expect(await lines()).toEqual(['a', 'b', 'c'])
})

test('reads that were made for another table generation, which had a key, are not counted', async () => {
  const keyed = contract({
    columns: [columnContract(1, 'line', 'text', { key: 1 }), columnContract(2, 'at', 'numeric')],
  })
  const changes = new ChangeLog()
    .start()
    .contract({ ...keyed, complete: false })
    .beacon(1)
  changes.contract(contract({ version: 2, generation: 2, complete: false, published: false }), { lsn: 20 })
  changes.incrementalRead(row('a'), log).incrementalRead(row('b'), log)
  changes.contract(contract({ version: 3, generation: 2, complete: false }), { lsn: 30 }).incrementalRead(row('c'), log)
  changes.readBeacon('7:7:', { snapshotOf: { relation: 4711, generation: 2 } }).initialRead(row('a'), log)
  await apply(changes.contract(contract({ version: 4, generation: 2 }), { lsn: 40 }).records)

  expect(await lines()).toEqual(['a'])
  expect(await query('select from tidemark.stopped_table')).toEqual([])
})

test('a table that is not published yet is not read by the initial snapshot', async () => {
  const changes = new ChangeLog().start().contract(contract({ complete: false, published: false }))

  await apply(changes.readBeacon('7:7:').beacon(1).records)

  expect(await query('select from tidemark.stopped_table')).toEqual([])
})

test('changes of a stopped table that capture delivers again count once when the table is accepted', async () => {
  await query('create table public.log (theirs int)')
  const changes = begin().create(row('a'), { ...log, lsn: 10, txId: 7 })
  await apply(changes.records)
  changes
    .start()
    .create(row('a'), { ...log, lsn: 10, txId: 7 })
    .create(row('b'), { ...log, lsn: 20, txId: 8 })
  await apply(changes.records)

  await query('drop table public.log')
  await query(`select tidemark.accept('public.log')`)
  await apply(changes.beacon(1).records)

  expect(await lines()).toEqual(['a', 'b'])
})

test('a table that is stopped during its snapshot needs another one, and delays nothing', async () => {
  const changes = begin()
    .beacon(1)
    .contract(contract({ version: 2, generation: 2, complete: false }), { lsn: 20 })
  await target.pool.query(`create table tidemark_rows.t4711_2 (mine int)`)
  changes.create(row('a'), { ...log, lsn: 21, txId: 6 })
  changes.readBeacon('7:7:', { snapshotOf: { relation: 4711, generation: 2 } }).initialRead(row('a'), log)

  expect(await apply(changes.beacon(2).records)).toMatchObject({ kind: 'applied' })

  expect(await query('select repair, reason from tidemark.stopped_table')).toEqual([
    { repair: 'resync', reason: expect.stringContaining('already exists') },
  ])
  await expect(query(`select tidemark.accept('public.log')`)).rejects.toThrow('its rows have to be read again')
})

test('a truncate takes what precedes it, and delivered again takes nothing more', async () => {
  const changes = begin()
    .create(row('a'), { ...log, lsn: 10, txId: 5 })
    .truncate({ ...log, lsn: 20, txId: 6 })
  changes.create(row('b'), { ...log, lsn: 30, txId: 7 })
  await apply(changes.records)

  await apply(changes.start().truncate({ ...log, lsn: 20, txId: 6 }).records)

  expect(await lines()).toEqual(['b'])
})

test('the delete of a row that is not there causes a resync of the table', async () => {
  await apply(begin().change('d', row('never'), null, { ...log, lsn: 10, txId: 5 }).records)

  expect(await query('select reason, automatic from tidemark.stopped_table')).toEqual([
    { reason: 'a row was deleted that it does not have', automatic: true },
  ])
})

test('history holds each change of it once, before and after', async () => {
  const changes = begin()
    .create(row('a'), { ...log, lsn: 10, txId: 5 })
    .create(row('a'), { ...log, lsn: 10, txId: 5 })
  changes.change('u', row('a'), row('b'), { ...log, lsn: 11, txId: 5 }).truncate({ ...log, lsn: 12, txId: 6 })
  await apply(changes.records)
  changes
    .start()
    .create(row('a'), { ...log, lsn: 10, txId: 5 })
    .create(row('a'), { ...log, lsn: 10, txId: 5 })
  await apply(changes.records)

  expect(await query(`select op, before, after from tidemark.change_log order by lsn, op`)).toEqual([
    { op: 'insert', before: null, after: { line: 'a', at: null } },
    { op: 'insert', before: null, after: { line: 'a', at: null } },
    { op: 'update', before: { line: 'a', at: null }, after: { line: 'b', at: null } },
    { op: 'truncate', before: null, after: null },
  ])
})
