import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TableContract } from '#core/contract.ts'
import { ChangeLog, columnContract, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeLatestState } from './latest-state.ts'

let target: TestDatabase

beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

const query = async (sql: string) => (await target.pool.query(sql)).rows
const apply = (records: readonly LoggedRecord[], topicPartition = 0) =>
  makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition }, records)
const ids = async (table = 'public.orders') =>
  (await query(`select id from ${table} order by id`)).map((row) => Number(row.id))
const isThere = async (table: string) => (await query(`select to_regclass('${table}') is not null as is`))[0].is
const stops = async () => (await query('select reason from tidemark.stop')).map(({ reason }) => reason)

const second = { epoch: 2 }
const row = (id: number) => ({ id, name: 'x', amount: null })

/** A contract of the second epoch, whose rows are not read yet. */
const nextContract = (changes: Partial<TableContract> = {}) =>
  ordersContract({ version: 2, generation: 101, complete: false, ...changes })
const complete = (changes: Partial<TableContract> = {}) => nextContract({ version: 3, complete: true, ...changes })

/** The first epoch with rows 1 to 3. */
const firstEpoch = (changes: Partial<TableContract> = {}, slot = 0) => {
  const log = new ChangeLog(slot).contract(ordersContract(changes))
  for (const id of [1, 2, 3]) log.create(row(id), { lsn: 10 + id })
  return log.beacon(900, { lsn: '0/90', ...(changes.topicPartitions && { topicPartitions: changes.topicPartitions }) })
}

describe('a new epoch', () => {
  test('shows the rows of the one before until a table is complete, then those that it read', async () => {
    const log = firstEpoch()
      .readContract(nextContract(), 5, 2)
      .beacon(3, { lsn: '0/06', ...second })
    log.incrementalRead(row(2), second).create(row(4), { lsn: 7, ...second })
    await apply(log.records)
    expect(await ids()).toEqual([1, 2, 3])

    log.contract(complete(), { lsn: 8, ...second })
    await apply(log.records)

    expect(await ids()).toEqual([2, 4])
    expect(await query('select epoch, known_at is not null as known from tidemark.epoch')).toEqual([
      { epoch: 2, known: true },
    ])
  })

  test('shows nothing of the generations before, whose contracts its initial snapshot reads as well', async () => {
    const log = firstEpoch()
    log.contract(ordersContract({ version: 2, generation: 2, complete: false }), { lsn: 20 })
    log.incrementalRead(row(1)).incrementalRead(row(2))
    log.contract(ordersContract({ version: 3, generation: 2 }), { lsn: 21 })
    await apply(log.records)
    expect(await ids()).toEqual([1, 2])

    log
      .readContract(ordersContract(), 5, 2)
      .readContract(ordersContract({ version: 2, generation: 2, complete: false }), 5, 2)
    log
      .readContract(ordersContract({ version: 3, generation: 2 }), 5, 2)
      .readContract(nextContract({ version: 4 }), 5, 2)
    log.beacon(3, { lsn: '0/06', ...second })
    await apply(log.records)
    expect(await ids()).toEqual([1, 2])

    log.incrementalRead(row(2), second).contract(complete({ version: 5 }), { lsn: 8, ...second })
    await apply(log.records)
    expect(await ids()).toEqual([2])
  })

  test('reads keyless tables again, too', async () => {
    const columns = [columnContract(1, 'id', 'bigint')]
    const log = new ChangeLog().start().contract(ordersContract({ columns, replicaIdentity: 'full' }))
    for (const id of [1, 2, 2]) log.create({ id }, { lsn: 10 + id, txId: 7 })
    log
      .beacon(900, { lsn: '0/90' })
      .start(2)
      .readContract(nextContract({ columns }), 5, 2)
      .beacon(3, { lsn: '0/06', ...second })
    log.readBeacon('10:10:', { epoch: 2, snapshotOf: { relation: 4711, generation: 101 } })
    log.initialRead({ id: 2 }, { lsn: 6, ...second }).create({ id: 4 }, { lsn: 7, txId: 12, ...second })
    await apply(log.records)
    expect(await ids()).toEqual([1, 2, 2])

    log.contract(complete({ columns }), { lsn: 8, ...second })
    await apply(log.records)

    expect(await ids()).toEqual([2, 4])
    expect(await query('select from tidemark.stopped_table')).toEqual([])
  })

  test('reads keyless tables again also where their records come on another topic partition than before', async () => {
    const columns = [columnContract(1, 'id', 'bigint')]
    const two = { topicPartitions: 2 }
    const blocking = { epoch: 2, snapshotOf: { relation: 4711, generation: 101 } }
    const former = new ChangeLog(0).start().contract(ordersContract({ columns, replicaIdentity: 'full' }))
    for (const id of [1, 2, 2]) former.create({ id }, { lsn: 10 + id, txId: 7 })
    await apply(former.beacon(900, { lsn: '0/90' }).records)
    const present = new ChangeLog(1).start(2)
    for (const log of [former, present]) {
      log.readContract(nextContract({ columns, ...two }), 5, 2).beacon(3, { lsn: '0/06', ...two, ...second })
      log.readBeacon('10:10:', blocking)
    }
    present.initialRead({ id: 2 }, { lsn: 6, ...second }).create({ id: 4 }, { lsn: 7, txId: 12, ...second })
    for (const log of [former, present]) log.contract(complete({ columns, ...two }), { lsn: 8, ...second })

    await apply(present.records, 1)
    await apply(former.records)

    expect(await ids()).toEqual([2, 4])
  })

  test('takes tables away that the source has no more, when every topic partition has its contracts', async () => {
    const two = { topicPartitions: 2 }
    const logs = [firstEpoch(two), firstEpoch(two, 1)]
    for (const [i, log] of logs.entries()) {
      const kept = ordersContract({ relation: 9, table: 'kept', generation: 101, ...two })
      log.readContract(kept, 5, 2).beacon(3, { lsn: '0/06', ...two, ...second })
      if (i === 0) await apply(log.records)
    }
    expect(await ids()).toEqual([1, 2, 3])

    await apply(logs[1]!.records, 1)

    expect(await isThere('public.orders')).toBe(false)
    expect(await isThere('public.kept')).toBe(true)
    expect(await query(`select from pg_class where relname like 't4711%'`)).toEqual([])
  })

  test('of another source shows the rows of the former one under a name until its own are complete', async () => {
    const other = { relation: 5000, version: 1 }
    const log = firstEpoch()
    await apply(log.records)
    log.readContract(nextContract(other), 5, 2)
    log.beacon(1, { lsn: '0/06', systemIdentifier: '7002', ...second }).incrementalRead(row(8), second)
    await apply(log.records)
    expect(await stops()).toEqual([])
    // The former relation does not exist in the new source, but a table of its name does.
    expect(await ids()).toEqual([1, 2, 3])

    log.contract(complete({ ...other, version: 2 }), { lsn: 8, ...second })
    await apply(log.records)

    expect(await ids()).toEqual([8])
    expect(await query('select relation from tidemark.generation')).toEqual([{ relation: '5000' }])
    expect(await query('select from tidemark.stopped_table')).toEqual([])
  })

  test('whose relation of one number is another table takes the former one away', async () => {
    const log = firstEpoch()
      .readContract(nextContract({ version: 1, table: 'riders' }), 5, 2)
      .incrementalRead(row(8), {
        table: 'riders',
        ...second,
      })
    await apply(log.records)
    expect(await isThere('public.orders')).toBe(false)
    expect(await ids('public.riders')).toEqual([8])
  })

  test('is not taken back by records of the one before that a zombie worker still sends', async () => {
    const log = firstEpoch()
      .readContract(complete({ version: 1 }), 5, 2)
      .beacon(1, { lsn: '0/06', ...second })
    log.create(row(7), { lsn: 9, ...second })
    log.contract(ordersContract({ version: 8, columns: [] }), { lsn: 95 }).create(row(9), { lsn: 96 })
    log.create(row(10), { lsn: 12, ...second })

    await apply(log.records)

    expect(await ids()).toEqual([7, 10])
  })
})

test('a zombie worker that still sends records of a former epoch changes nothing of what is known', async () => {
  const columns = [columnContract(1, 'id', 'bigint')]
  const orders = { columns, replicaIdentity: 'full' } as const
  const log = new ChangeLog().start().contract(ordersContract(orders))
  log.create({ id: 1 }, { lsn: 0x11, txId: 7 }).beacon(900, { lsn: '0/90', previousLsn: null })
  log.start(2).readContract(nextContract(orders), 5, 2)
  log.readBeacon('10:10:', { epoch: 2, snapshotOf: { relation: 4711, generation: 101 } })
  log.contract(complete(orders), { lsn: 6, ...second }).beacon(3, { lsn: '0/07', previousLsn: null, ...second })
  log.create({ id: 4 }, { lsn: 8, txId: 12, ...second }).create({ id: 5 }, { lsn: 9, txId: 13, ...second })
  await apply(log.records)
  expect(await ids()).toEqual([4, 5])

  // Beacons and rows of the former epoch come after those of the present one.
  log.start().create({ id: 2 }, { lsn: 0x92, txId: 9 }).truncate({ lsn: 0x93, txId: 9 })
  log.beacon(901, { lsn: '0/99', previousLsn: '0/90' })
  await apply(log.records)
  // Capture restarts, and sends the records again that it has not confirmed.
  log
    .start(2)
    .create({ id: 4 }, { lsn: 8, txId: 12, ...second })
    .create({ id: 5 }, { lsn: 9, txId: 13, ...second })
  await apply(log.records)

  expect(await ids()).toEqual([4, 5])
  expect(await query('select beacon_number::int, beacon_epoch from tidemark.progress')).toEqual([
    { beacon_number: 3, beacon_epoch: 2 },
  ])
  log.beacon(5, { lsn: '0/27', previousLsn: '0/17', ...second })
  expect(await apply(log.records)).toMatchObject({
    kind: 'stopped',
    reason: expect.stringContaining('changes of the source are missing: after beacon 3, at 0/7, comes beacon 5'),
  })
})

describe('a beacon', () => {
  const first = { lsn: '0/20', previousLsn: '0/10', emittedMs: 1_000 }
  const begin = () =>
    new ChangeLog()
      .contract(ordersContract())
      .beacon(4, { lsn: '0/10', previousLsn: null, emittedMs: 900 })
      .beacon(5, first)
  const confirmed = { confirmedLsn: '0/40' }

  test('that follows the one before it, or comes again, goes on', async () => {
    const log = begin().beacon(5, first).beacon(4, { lsn: '0/10', previousLsn: null, emittedMs: 900 })
    log.beacon(6, { lsn: '0/30', previousLsn: '0/20', emittedMs: 1_100 })
    log.beacon(7, { lsn: '0/40', previousLsn: '0/30', emittedMs: 1_200 })
    log.beacon(8, { lsn: '0/50', previousLsn: '0/40', emittedMs: 1_300, ...confirmed })
    log.beacon(9, { lsn: '0/60', previousLsn: '0/50', emittedMs: 1_400, ...confirmed })
    // This beacon was confirmed and is no longer known. Only a zombie worker sends it again.
    log.beacon(5, first).create(row(1), { lsn: 0x61 })

    await apply(log.records)

    expect(await stops()).toEqual([])
    expect(await ids()).toEqual([1])
  })

  test.each([
    [
      'of a source that was restored, with a number from before',
      5,
      { lsn: '0/18', previousLsn: '0/10', emittedMs: 5_000 },
      'the source went back: it emits beacon 5 at 0/18, and beacon 5 at 0/20 was applied before',
    ],
    [
      'of a source that was restored, with a number that is forgotten',
      2,
      { lsn: '0/08', previousLsn: '0/06', emittedMs: 5_000 },
      'the source went back: it emits beacon 2 at 0/8, and beacon 5 at 0/20 was applied before',
    ],
    [
      'of a source that was restored, with the next number',
      6,
      { lsn: '0/28', previousLsn: '0/18', emittedMs: 5_000 },
      'the source went back: beacon 6 follows one at 0/18, not the one that was applied before it, at 0/20',
    ],
    [
      'behind others that never came',
      8,
      { lsn: '0/48', previousLsn: '0/40', emittedMs: 5_000 },
      'changes of the source are missing: after beacon 5, at 0/20, comes beacon 8, which follows one at 0/40',
    ],
  ])('%s stops the topic partition until the next epoch', async (_, number, options, reason) => {
    const log = begin().create(row(1), { lsn: 0x21 })
    await apply(log.records)
    log.create(row(2), { lsn: 0x22 }).beacon(number, options).create(row(3), { lsn: 0x49 })

    expect(await apply(log.records)).toMatchObject({ kind: 'stopped', atOffset: 5, reason })
    expect(await stops()).toEqual([reason])
    expect(await ids()).toEqual([1])

    await query(`select tidemark.order_epoch(2, 'it was restored', false)`)
    log.readContract(nextContract(), 5, 2).beacon(1, { lsn: '0/06', previousLsn: null, ...second })
    log.incrementalRead(row(7), second)
    await apply(log.records.slice(4))
    expect(await ids()).toEqual([1])
    log.contract(complete(), { lsn: 8, ...second })
    await apply(log.records)

    expect(await ids()).toEqual([7])
    expect(await stops()).toEqual([])
    expect(await query('select beacon_number::int, beacon_epoch from tidemark.progress')).toEqual([
      { beacon_number: 1, beacon_epoch: 2 },
    ])
  })

  test('of another cluster stops the topic partition in the same epoch', async () => {
    const log = begin().beacon(6, { ...first, previousLsn: '0/20', systemIdentifier: '7002' })

    expect(await apply(log.records.slice(0, 3))).toMatchObject({ kind: 'applied' })
    expect(await apply(log.records)).toMatchObject({
      kind: 'stopped',
      reason: 'the source is another database cluster (7002) than before (7001)',
    })
  })
})

test('a topic that was created again is consumed from its first remaining record on, once a new epoch was ordered', async () => {
  await apply(firstEpoch().records)
  const topic = new ChangeLog().readContract(nextContract(), 5, 2).beacon(1, { lsn: '0/06', ...second })
  topic.incrementalRead(row(7), second).contract(complete(), { lsn: 8, ...second })
  const records = topic.records.map((record) => ({ ...record, timestampMs: record.timestampMs + 1_000_000 }))
  expect(await apply(records)).toMatchObject({ kind: 'stopped' })

  await query(`select tidemark.order_epoch(2, 'the topic was created again', true)`)
  await apply(records)

  expect(await ids()).toEqual([7])
  expect(await stops()).toEqual([])
  expect(await query('select next_offset::int, rebased from tidemark.progress')).toEqual([
    { next_offset: 4, rebased: false },
  ])
})

test('after a rebase, records that are lost for good are passed, and nothing else is', async () => {
  const log = firstEpoch()
  for (const id of [4, 5, 6]) log.create(row(id), { lsn: 0x90 + id })
  await apply(log.records.slice(0, 4))
  expect(await apply(log.records.slice(6))).toMatchObject({ kind: 'stopped' })

  await query(`select tidemark.rebase('tidemark-latest-state', 'changes', 0, 6)`)
  expect(await stops()).toEqual([])

  // A delivery may begin before this offset, with records that were applied.
  expect(await apply([...log.records.slice(2, 4), ...log.records.slice(6)])).toMatchObject({ kind: 'applied' })
  expect(await ids()).toEqual([1, 2, 3, 5, 6])
  log.create(row(7), { lsn: 0xa0 }).create(row(8), { lsn: 0xa1 })
  expect(await apply(log.records.slice(9))).toMatchObject({ kind: 'stopped' })
})
