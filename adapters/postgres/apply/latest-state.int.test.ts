import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChangeLog, columnContract, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { type LatestState, makeLatestState } from './latest-state.ts'

const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }

let target: TestDatabase
let latestState: LatestState

beforeEach(async () => {
  target = await createDatabase('target')
  latestState = makeLatestState(target.pool)
})
afterEach(() => target.drop())

const query = async (sql: string) => (await target.pool.query(sql)).rows
const apply = (records: readonly LoggedRecord[]) => latestState.apply(key, records)
const orders = async () => (await target.pool.query('select * from public.orders order by id')).rows
const stopped = async () =>
  (await target.pool.query('select schema_name, table_name, reason from tidemark.stopped_table')).rows
const nextOffset = async () =>
  Number((await target.pool.query('select next_offset from tidemark.progress')).rows[0]?.next_offset)

describe('a row', () => {
  test('follows create, update, delete and re-create', async () => {
    const log = new ChangeLog().contract(ordersContract())
    log
      .create({ id: 1, name: 'a', amount: '1.00' }, { lsn: 10 })
      .create({ id: 2, name: 'b', amount: null }, { lsn: 11 })
    await apply(log.records)
    expect(await orders()).toEqual([
      { id: '1', name: 'a', amount: '1.00' },
      { id: '2', name: 'b', amount: null },
    ])

    log
      .update({ id: 1, name: 'A "quoted" \\ {x}', amount: '9999999999.99' }, { lsn: 12 })
      .delete({ id: 2 }, { lsn: 13 })
    await apply(log.records.slice(3))
    expect(await orders()).toEqual([{ id: '1', name: 'A "quoted" \\ {x}', amount: '9999999999.99' }])

    log.create({ id: 2, name: 'again', amount: '0.10' }, { lsn: 14 })
    await apply(log.records.slice(5))
    expect((await orders())[1]).toEqual({ id: '2', name: 'again', amount: '0.10' })
  })

  test('keeps a bigint beyond 2^53 exactly', async () => {
    const log = new ChangeLog().contract(ordersContract())
    log.create({ id: 1, name: '', amount: null }, { lsn: 10 })
    const exact = { ...log.records[1]!, value: log.records[1]!.value!.replace('"id":1', '"id":9007199254740993') }

    await apply([log.records[0]!, exact])

    expect((await orders())[0].id).toBe('9007199254740993')
  })

  test('is not revived by an insert that is delivered after its delete', async () => {
    const log = new ChangeLog().contract(ordersContract()).delete({ id: 1 }, { lsn: 20 })
    log.create({ id: 1, name: 'late', amount: null }, { lsn: 10 })

    await apply(log.records.slice(0, 2))
    await apply(log.records)

    expect(await orders()).toEqual([])
  })

  test('created at the position of its delete is there: a key changed to an equal key', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'new', amount: null }, { lsn: 20 })
    log.delete({ id: 1 }, { lsn: 20 })

    await apply(log.records)

    expect(await orders()).toHaveLength(1)
  })

  test('read by the initial snapshot never overrides a streamed change with a lower lsn', async () => {
    const log = new ChangeLog()
      .contract(ordersContract())
      .initialRead({ id: 1, name: 'read', amount: null }, { lsn: 50 })
    log.update({ id: 1, name: 'streamed', amount: null }, { lsn: 40 })
    log.initialRead({ id: 1, name: 'read again', amount: null }, { lsn: 60 })

    await apply(log.records)

    expect((await orders())[0].name).toBe('streamed')
  })

  test('read by an incremental snapshot overrides what precedes it and yields to what follows', async () => {
    const log = new ChangeLog().contract(ordersContract()).update({ id: 1, name: 'old', amount: null }, { lsn: 40 })
    log.incrementalRead({ id: 1, name: 'read', amount: null }).update({ id: 1, name: 'old', amount: null }, { lsn: 40 })
    await apply(log.records)
    expect((await orders())[0].name).toBe('read')

    log.update({ id: 1, name: 'newer', amount: null }, { lsn: 41 })
    await apply(log.records.slice(4))
    expect((await orders())[0].name).toBe('newer')
  })
})

describe('an initial snapshot that begins again', () => {
  const row = (id: number) => ({ id, name: 'read', amount: null })
  const interrupted = () =>
    new ChangeLog()
      .readContract(ordersContract(), 50)
      .initialRead(row(1), { lsn: 50 })
      .initialRead(row(2), { lsn: 50 })
      .readContract(ordersContract(), 60)
      .initialRead(row(2), { lsn: 60 })
      .create(row(3), { lsn: 55 })

  test('takes away the rows that were deleted between the attempts, once it has ended', async () => {
    const log = interrupted()
    await apply(log.records)
    expect(await orders()).toMatchObject([{ id: '1' }, { id: '2' }, { id: '3' }])

    await apply(log.beacon(1).records)
    expect(await orders()).toMatchObject([{ id: '2' }, { id: '3' }])
  })

  test('takes nothing away where a signal has a table read before the first beacon: that is no second attempt', async () => {
    const stops = ordersContract({ relation: 4712, table: 'stops', generation: 2, complete: false })
    const log = new ChangeLog().readContract(ordersContract(), 50).initialRead(row(1), { lsn: 50 })
    log.contract(stops, { lsn: 55 })
    log.readBeacon('20:20:', { lsn: 60, snapshotOf: { relation: 4712, generation: 2 } })
    log.initialRead(row(7), { table: 'stops', lsn: 60 })
    log.contract({ ...stops, version: 2, complete: true }, { lsn: 70 })

    await apply(log.beacon(1, { lsn: '0/50' }).records)

    expect(await orders()).toMatchObject([{ id: '1' }])
    expect(await query('select id from public.stops')).toEqual([{ id: '7' }])
  })

  test('waits until it has ended in every topic partition', async () => {
    const log = interrupted().beacon(1, { topicPartitions: 2 })
    await apply(log.records)
    expect(await orders()).toHaveLength(3)

    const other = new ChangeLog(1).readContract(ordersContract(), 60).beacon(1, { topicPartitions: 2 })
    await latestState.apply({ ...key, topicPartition: 1 }, other.records)
    expect(await orders()).toHaveLength(2)
  })
})

describe('an initial snapshot after changes were streamed', () => {
  const row = (id: number, name = 'read') => ({ id, name, amount: null })
  const scans = ordersContract({
    relation: 4712,
    table: 'scans',
    replicaIdentity: 'full',
    columns: [
      columnContract(1, 'id', 'bigint'),
      columnContract(2, 'name', 'text'),
      columnContract(3, 'amount', 'text'),
    ],
  })
  const scan = { table: 'scans', txId: 7 }
  const begunAgain = () => {
    const log = new ChangeLog()
      .start()
      .readContract(ordersContract(), 50)
      .readBeacon('5:5:')
      .initialRead(row(1), { lsn: 50 })
    log.beacon(1, { lsn: '0/60' }).contract(scans, { lsn: 0x61 })
    log.create(row(1, 'streamed'), { ...scan, lsn: 0x62 }).create(row(2, 'streamed'), { lsn: 0x63 })
    log.readContract(ordersContract(), 0x90).readContract(scans, 0x90).readBeacon('9:9:', { lsn: 0x90 })
    return log.initialRead(row(1), { lsn: 0x90 }).create(row(3, 'streamed'), { lsn: 0x91 })
  }

  test('causes a snapshot of every table, and changes nothing before that', async () => {
    await apply(begunAgain().beacon(2, { lsn: '0/A0' }).records)

    expect(await orders()).toMatchObject([{ id: '1' }, { id: '2' }])
    expect(await query('select name from public.scans')).toEqual([{ name: 'streamed' }])
    expect(await query('select table_name, repair, automatic, reason from tidemark.stopped_table order by 1')).toEqual(
      ['orders', 'scans'].map((table_name) => ({
        table_name,
        repair: 'resync',
        automatic: true,
        reason: 'capture lost its place and began again: changes may be missing',
      })),
    )
  })

  test('causes a snapshot of every table also where no beacon was streamed yet, and deletes no row', async () => {
    const first = (slot: number) =>
      new ChangeLog(slot).start().readContract(ordersContract(), 50).readBeacon('5:5:', { slot })
    const again = (log: ChangeLog, slot: number) =>
      log.readContract(ordersContract(), 0x90).readBeacon('9:9:', { slot, lsn: 0x90 })
    const log = again(first(0).initialRead(row(1), { lsn: 50 }).create(row(2, 'streamed'), { lsn: 0x62 }), 0)
    const other = again(first(1), 1).beacon(1, { lsn: '0/A0', topicPartitions: 2 })

    await apply(log.beacon(1, { lsn: '0/A0', topicPartitions: 2 }).records)
    await latestState.apply({ ...key, topicPartition: 1 }, other.records)

    expect(await orders()).toMatchObject([{ id: '1' }, { id: '2' }])
    expect(await stopped()).toMatchObject([{ table_name: 'orders' }])
  })

  test('is over where a signal has a table read, though no beacon came since', async () => {
    const next = { ...scans, version: 2, generation: 2 }
    const log = begunAgain()
    log.contract({ ...next, complete: false }, { lsn: 0x92 })
    log.readBeacon('20:20:', { lsn: 0x93, snapshotOf: { relation: 4712, generation: 2 } })
    log.initialRead(row(7), { ...scan, lsn: 0x93 }).initialRead(row(8), { ...scan, lsn: 0x93 })

    await apply(log.contract({ ...next, version: 3 }, { lsn: 0x94 }).records)

    expect(await query('select id from public.scans order by id')).toEqual([{ id: '7' }, { id: '8' }])
  })

  test('is not kept, and what is streamed after it is', async () => {
    const log = begunAgain()
    for (let until = 1; until <= log.records.length; until++) await apply(log.records.slice(0, until))

    expect(await query('select record_offset from tidemark.quarantine')).toEqual([
      { record_offset: String(log.records.length - 1) },
    ])
  })
})

describe('a delivery', () => {
  test('repeated changes nothing', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })

    expect(await apply(log.records)).toMatchObject({ kind: 'applied', duplicates: 0 })
    expect(await apply(log.records)).toEqual({ kind: 'duplicate' })
    expect(await nextOffset()).toBe(2)
  })

  test('with a gap is refused, says so, and is applied once the gap is filled', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
    log.create({ id: 2, name: 'b', amount: null }, { lsn: 11 })

    await apply(log.records.slice(0, 1))
    expect(await apply(log.records.slice(2))).toMatchObject({ kind: 'stopped', atOffset: 1 })
    expect((await target.pool.query('select reason from tidemark.stop')).rows).toEqual([
      { reason: 'records 1 to 1 are missing: they were lost, or are delivered out of order' },
    ])

    await apply(log.records.slice(1))
    expect(await orders()).toHaveLength(2)
    expect((await target.pool.query('select from tidemark.stop')).rowCount).toBe(0)
  })

  test('with a gap in its middle is applied up to the gap, and refused from there on', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
    for (const id of [2, 3, 4]) log.create({ id, name: 'b', amount: null }, { lsn: 10 + id })
    const records = log.records.filter(({ offset }) => offset !== 2)

    for (let delivery = 0; delivery < 2; delivery++) {
      expect(await apply(records)).toMatchObject({ kind: 'stopped', atOffset: 2 })
      expect((await orders()).map(({ id }) => Number(id))).toEqual([1])
      expect(await nextOffset()).toBe(2)
    }

    await target.pool.query(`select tidemark.rebase('tidemark-latest-state', 'changes', 0, 3)`)
    expect(await apply(records)).toMatchObject({ kind: 'applied', duplicates: 2 })
    expect((await orders()).map(({ id }) => Number(id))).toEqual([1, 3, 4])
  })

  test('of a topic whose first records are gone is refused', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })

    expect(await apply(log.records.slice(1))).toMatchObject({
      kind: 'stopped',
      reason: expect.stringContaining('gone'),
    })
  })

  test('of a re-created topic is refused', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
    await apply(log.records)
    const other = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'other', amount: null }, { lsn: 10 })

    expect(await apply(other.records)).toMatchObject({ kind: 'stopped', reason: expect.stringContaining('re-created') })
    expect((await orders())[0].name).toBe('a')
  })

  test('with a beacon of another cluster is refused', async () => {
    const log = new ChangeLog().beacon(1).beacon(2, { systemIdentifier: '7002' })
    await apply(log.records.slice(0, 1))

    expect(await apply(log.records)).toMatchObject({
      kind: 'stopped',
      reason: expect.stringContaining('another database cluster'),
    })
  })
})

describe('a table', () => {
  test('that cannot be applied stops, keeps its records in order, and lets the others flow', async () => {
    const log = new ChangeLog().contract(ordersContract())
    log.contract(ordersContract({ relation: 5000, table: 'parcels' }))
    log.create({ id: 1, name: 'a', amount: 'not a number' }, { lsn: 10 })
    log.create({ id: 2, name: 'b', amount: '1' }, { lsn: 11 })
    log.create({ id: 1, name: 'p', amount: '1' }, { lsn: 12, table: 'parcels' })
    await apply(log.records)

    expect(await orders()).toEqual([])
    expect((await target.pool.query('select * from public.parcels')).rowCount).toBe(1)
    expect(await stopped()).toMatchObject([{ table_name: 'orders', reason: expect.stringContaining('"not a number"') }])
    const kept = await target.pool.query('select record_offset from tidemark.quarantine order by record_offset')
    expect(kept.rows.map((row) => Number(row.record_offset))).toEqual([2, 3])

    log.create({ id: 3, name: 'c', amount: '1' }, { lsn: 13 })
    await apply(log.records.slice(5))
    expect(await orders()).toEqual([])
  })

  test('whose statement the target refuses stops alone', async () => {
    const log = new ChangeLog()
      .contract(ordersContract())
      .contract(ordersContract({ relation: 5000, table: 'parcels' }))
    log.create({ id: 1, name: 'a', amount: '99999999999.00' }, { lsn: 10 })
    log.create({ id: 1, name: 'p', amount: '1' }, { lsn: 12, table: 'parcels' })
    await apply(log.records)

    expect(await stopped()).toMatchObject([{ table_name: 'orders', reason: expect.stringContaining('22003') }])
    expect((await target.pool.query('select * from public.parcels')).rowCount).toBe(1)
  })

  test('whose name is taken in the target stops alone', async () => {
    await target.pool.query('create table public.orders (mine int)')
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })

    expect(await apply(log.records)).toMatchObject({ kind: 'applied' })
    expect(await stopped()).toMatchObject([
      {
        table_name: 'orders',
        reason: expect.stringContaining('table public.orders is in the target and was not created by Tidemark'),
      },
    ])
  })

  test('that stopped before it had rows is no longer stopped once they were read', async () => {
    await target.pool.query('create table public.orders (mine int)')
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
    await apply(log.records)
    await target.pool.query('drop table public.orders')
    const read = ordersContract({ version: 2, generation: 2, complete: false })
    log.contract(read, { lsn: 20 }).incrementalRead({ id: 1, name: 'read', amount: null })
    log.contract({ ...read, version: 3, complete: true }, { lsn: 30 })

    await apply(log.records.slice(2))

    expect(await orders()).toMatchObject([{ name: 'read' }])
    expect(await stopped()).toEqual([])
    expect(await query('select from tidemark.quarantine')).toEqual([])
  })

  test('whose change has no lsn stops, since its order cannot be known', async () => {
    const log = new ChangeLog().contract(ordersContract()).update({ id: 1, name: 'a', amount: null }, { lsn: null })
    await apply(log.update({ id: 1, name: 'b', amount: null }, { lsn: 10 }).records)

    expect(await stopped()).toMatchObject([{ table_name: 'orders', reason: expect.stringContaining('no lsn') }])
    expect(await orders()).toEqual([])
  })

  test('no contract explains stops by its name', async () => {
    await apply(new ChangeLog().create({ id: 1 }, { lsn: 10 }).records)
    expect(await stopped()).toMatchObject([{ table_name: 'orders', reason: expect.stringContaining('no contract') }])
  })

  test('dropped and created again under its name starts empty and ignores changes of the former one', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'former', amount: null }, { lsn: 10 })
    log.contract(ordersContract({ version: 2, dropped: true }), { lsn: 11 })
    log
      .contract(ordersContract({ relation: 4712 }), { lsn: 12 })
      .create({ id: 2, name: 'new', amount: null }, { lsn: 13 })
    log.create({ id: 1, name: 'former', amount: null }, { lsn: 10 })

    await apply(log.records)

    expect(await orders()).toMatchObject([{ name: 'new' }])
    expect(await stopped()).toEqual([])
  })
})

test('a new epoch whose log begins again at lower lsns goes on', async () => {
  const log = new ChangeLog()
    .contract(ordersContract(), { lsn: 900 })
    .create({ id: 1, name: 'a', amount: null }, { lsn: 901 })
  log.readContract(ordersContract(), 20, 2).update({ id: 1, name: 'b', amount: null }, { lsn: 30, epoch: 2 })

  await apply(log.records)

  expect(await orders()).toMatchObject([{ name: 'b' }])
})

test('a record that is not an envelope is quarantined, and the next ones are applied', async () => {
  const log = new ChangeLog()
    .contract(ordersContract())
    .append('{"op":')
    .create({ id: 1, name: 'a', amount: null }, { lsn: 10 })

  expect(await apply(log.records)).toMatchObject({ effect: { changes: 1, quarantined: 1 } })
})

test('the times of the newest streamed change are those of its record, whatever comes behind it', async () => {
  const log = new ChangeLog()
    .contract(ordersContract())
    .create({ id: 1, name: 'a', amount: null }, { lsn: 10, committedAtMs: 1_699_999_999_000 })
    .create({ id: 2, name: 'b', amount: null }, { lsn: 11, committedAtMs: 1_699_999_999_990 })
    .beacon(1, { lsn: '0/20' })

  expect(await apply(log.records)).toMatchObject({
    effect: {
      changes: 2,
      newest: { committedAtMs: 1_699_999_999_990, readAtMs: 1_700_000_000_001, sentAtMs: 1_700_000_000_002 },
    },
  })
})

test('another process goes on with the contracts stored', async () => {
  const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
  await apply(log.records.slice(0, 1))

  await makeLatestState(target.pool).apply(key, log.records)

  expect(await orders()).toHaveLength(1)
})

test('the newest streamed beacon is the watermark of the topic partition', async () => {
  await apply(new ChangeLog().beacon(4).beacon(5, { lsn: '0/20' }).beacon(4).records)

  const { rows } = await target.pool.query('select beacon_number, beacon_lsn, system_identifier from tidemark.progress')
  expect(rows).toEqual([{ beacon_number: '5', beacon_lsn: '0/20', system_identifier: '7001' }])
})
