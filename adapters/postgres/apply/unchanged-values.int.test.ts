import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UNAVAILABLE_PLACEHOLDER } from '#core/codecs/unavailable.ts'
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

const applyTo = (topicPartition: number, records: readonly LoggedRecord[]) =>
  latestState.apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition }, records)
const query = async (text: string) => (await target.pool.query(text)).rows
const orders = () => query('select * from public.orders order by id')
const stopped = () => query('select reason, automatic from tidemark.stopped_table')

/** An update that did not touch the TOASTed name. */
const untouched = (id: number, amount: string) => ({ id, name: UNAVAILABLE_PLACEHOLDER, amount })
const moved = (from: number, to: number) => ({
  delete: { headers: { newKey: JSON.stringify({ id: to }) } },
  create: { headers: { oldKey: JSON.stringify({ id: from }) } },
})
const begin = (changes = {}, slot = 0) => new ChangeLog(slot).contract(ordersContract(changes))

describe('an update that leaves a TOASTed value as it is', () => {
  test('keeps the stored one', async () => {
    const log = begin().create({ id: 1, name: 'large', amount: '1.00' }, { lsn: 10 })
    await applyTo(0, log.records)
    await applyTo(0, log.update(untouched(1, '2.00'), { lsn: 11 }).records)
    expect(await orders()).toEqual([{ id: '1', name: 'large', amount: '2.00' }])
  })

  test('keeps that of an earlier change of the batch, through several updates', async () => {
    const log = begin().create({ id: 1, name: 'large', amount: '1.00' }, { lsn: 10 })
    log.update(untouched(1, '2.00'), { lsn: 11 }).update(untouched(1, '3.00'), { lsn: 12 })
    await applyTo(0, log.records)
    expect(await orders()).toEqual([{ id: '1', name: 'large', amount: '3.00' }])
  })

  test('keeps the stored one, not that of a change before it that was applied long since', async () => {
    const log = begin().create({ id: 1, name: 'first', amount: '1.00' }, { lsn: 10 })
    log.update({ id: 1, name: 'second', amount: '1.00' }, { lsn: 11 })
    await applyTo(0, log.records)
    log.create({ id: 1, name: 'first', amount: '1.00' }, { lsn: 10 }).update(untouched(1, '2.00'), { lsn: 12 })
    await applyTo(0, log.records)
    expect(await orders()).toEqual([{ id: '1', name: 'second', amount: '2.00' }])
  })

  test('causes a resync of the table where the row is missing', async () => {
    await applyTo(0, begin().update(untouched(1, '2.00'), { lsn: 11 }).records)
    expect(await stopped()).toEqual([{ reason: expect.stringContaining('row 1 that was updated'), automatic: true }])
  })

  test('is passed over when it comes again after a delete, though the row was never stored whole', async () => {
    const log = begin().create({ id: 1, name: 'large', amount: '1.00' }, { lsn: 10 })
    log.update(untouched(1, '2.00'), { lsn: 11 }).delete({ id: 1 }, { lsn: 12 })
    await applyTo(0, log.records)
    await applyTo(0, log.update(untouched(1, '2.00'), { lsn: 11 }).records)
    expect([await orders(), await stopped()]).toEqual([[], []])
  })

  test('waits for the row where the snapshot is still to bring it', async () => {
    const log = begin({ complete: false }).update(untouched(1, '2.00'), { lsn: 11 })
    await applyTo(0, log.records)
    expect(await orders()).toEqual([{ id: '1', name: null, amount: '2.00' }])

    await applyTo(0, log.incrementalRead({ id: 1, name: 'large', amount: '2.00' }).records)
    expect(await orders()).toEqual([{ id: '1', name: 'large', amount: '2.00' }])
  })

  test('causes a resync where no snapshot brought it', async () => {
    const log = begin().contract(ordersContract({ version: 2, generation: 2, complete: false }), { lsn: 5 })
    log.update(untouched(1, '2.00'), { lsn: 11 })
    await applyTo(0, log.contract(ordersContract({ version: 3, generation: 2 }), { lsn: 20 }).records)
    expect(await stopped()).toMatchObject([{ automatic: true }])
  })
})

describe('the first generation, which is shown from its beginning', () => {
  const completed = (log: ChangeLog) => log.contract(ordersContract({ version: 2 }), { lsn: 20 }).records

  test('is read again when its snapshot has not brought a value that an update left out', async () => {
    await applyTo(0, completed(begin({ complete: false }).update(untouched(1, '2.00'), { lsn: 11 })))
    expect(await stopped()).toEqual([{ reason: expect.stringContaining('TOASTed value'), automatic: true }])
  })

  test('goes on when its snapshot has brought the value', async () => {
    const log = begin({ complete: false }).update(untouched(1, '2.00'), { lsn: 11 })
    await applyTo(0, completed(log.incrementalRead({ id: 1, name: 'large', amount: '2.00' })))
    expect([await stopped(), await orders()]).toEqual([[], [{ id: '1', name: 'large', amount: '2.00' }]])
  })
})

describe('a key change that leaves a TOASTed value as it is', () => {
  test('takes it along, in one batch and over several', async () => {
    const [first, second] = [moved(1, 2), moved(2, 3)]
    const log = begin().create({ id: 1, name: 'large', amount: '1.00' }, { lsn: 10 })
    log.delete({ id: 1 }, { lsn: 11, ...first.delete }).create(untouched(2, '1.00'), { lsn: 11, ...first.create })
    await applyTo(0, log.records)
    log.delete({ id: 2 }, { lsn: 12, ...second.delete }).create(untouched(3, '1.00'), { lsn: 12, ...second.create })
    await applyTo(0, log.records)
    expect(await orders()).toEqual([{ id: '3', name: 'large', amount: '1.00' }])
  })

  test('between rows that swap their keys gives each its own', async () => {
    const log = begin().create({ id: 1, name: 'one', amount: null }, { lsn: 10 })
    log.create({ id: 2, name: 'two', amount: null }, { lsn: 10 })
    for (const [lsn, from, to] of [
      [11, 1, 3],
      [12, 2, 1],
      [13, 3, 2],
    ] as const) {
      log.delete({ id: from }, { lsn, ...moved(from, to).delete })
      log.create({ id: to, name: UNAVAILABLE_PLACEHOLDER, amount: null }, { lsn, ...moved(from, to).create })
    }
    await applyTo(0, log.records)
    expect(await orders()).toMatchObject([
      { id: '1', name: 'two' },
      { id: '2', name: 'one' },
    ])
  })

  test('is one also where it comes as a single update, whose before image has the former key alone', async () => {
    const former = (id: number) => ({ id, name: null, amount: null })
    const log = begin().create({ id: 1, name: 'one', amount: null }, { lsn: 10 })
    log.create({ id: 2, name: 'two', amount: null }, { lsn: 10 })
    for (const [lsn, from, to] of [
      [11, 1, 3],
      [12, 2, 1],
      [13, 3, 2],
    ] as const) {
      log.change('u', former(from), { id: to, name: UNAVAILABLE_PLACEHOLDER, amount: null }, { lsn })
    }
    await applyTo(0, log.records)
    expect(await orders()).toMatchObject([
      { id: '1', name: 'two' },
      { id: '2', name: 'one' },
    ])
  })

  test('takes it from the row in the state in which the change found it, or causes a resync of the table', async () => {
    const contract = { topicPartitions: 2 }
    const behind = begin(contract).create({ id: 1, name: 'old', amount: null }, { lsn: 10 })
    const ahead = begin(contract, 1).create(untouched(2, '1.00'), { lsn: 30, ...moved(1, 2).create })
    behind
      .update({ id: 1, name: 'new', amount: null }, { lsn: 20 })
      .delete({ id: 1 }, { lsn: 30, ...moved(1, 2).delete })

    await applyTo(0, behind.records.slice(0, 2))
    await applyTo(1, ahead.records)

    expect(await stopped()).toEqual([
      { reason: expect.stringContaining('row 2 whose key was changed'), automatic: true },
    ])
  })
})
