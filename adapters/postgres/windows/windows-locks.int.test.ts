import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChangeLog } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { countWaiting } from '#test-support/databases/waiting-sessions.ts'
import { until } from '#test-support/eventually.ts'
import { putWindow } from '#test-support/windows/definitions.ts'
import { ridesContract } from '#test-support/windows/ride-life.ts'
import { byZone, complete, feed, origin, ride, shown } from '#test-support/windows/ride-log.ts'
import { makeLatestState } from '../apply/latest-state.ts'
import { makeWindows } from './windows.ts'

let target: TestDatabase
beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

const topicPartitions = 2

async function begin(): Promise<[ChangeLog, ChangeLog]> {
  const logs = [0, 1].map((slot) => new ChangeLog(slot).contract(ridesContract({ topicPartitions })))
  for (const [slot, log] of logs.entries()) await feed(target, log, 0, slot)
  await putWindow(target, 'by_zone', byZone())
  await complete(target)
  return logs as [ChangeLog, ChangeLog]
}

/** Applies records to the latest state, and returns what applies them to windows. */
async function delivery(log: ChangeLog, from: number, topicPartition: number) {
  const place = { topic: 'changes', topicPartition }
  const records = log.records.slice(from)
  await makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', ...place }, records)
  return () => makeWindows(target.pool).apply(place, records)
}

const waiting = () => countWaiting(target.pool)

/** Runs work while a session holds what a statement locks. */
async function whileLocked(statement: string, work: (release: () => Promise<void>) => Promise<void>): Promise<void> {
  const client: pg.PoolClient = await target.pool.connect()
  try {
    await client.query('begin')
    await client.query(statement)
    await work(async () => {
      await client.query('rollback')
    })
  } finally {
    client.release()
  }
}

test('progress lock: of two deliveries of one topic partition the second finds what the first has applied', async () => {
  const [log] = await begin()
  log.beacon(1, { previousLsn: null, topicPartitions }).create(ride(1, '10:05:00', 7, '1.00'), origin(10))
  const apply = await delivery(log, 1, 0)
  const lock = `select from tidemark.progress where (consumer, topic_partition) = ('tidemark-windows', 0) for update`

  await whileLocked(lock, async (release) => {
    const applied = [apply()]
    await until('the delivery waits for the progress', async () => (await waiting()) === 1)
    // A zombie invocation has only the first of the records.
    applied.push(makeWindows(target.pool).apply({ topic: 'changes', topicPartition: 0 }, log.records.slice(1, 2)))
    await until('both deliveries wait for the progress', async () => (await waiting()) === 2)
    await release()

    expect((await Promise.all(applied)).map(({ kind }) => kind)).toEqual(['applied', 'duplicate'])
  })

  const { rows } = await target.pool.query(
    `select next_offset from tidemark.progress where (consumer, topic_partition) = ('tidemark-windows', 0)`,
  )
  expect(rows).toEqual([{ next_offset: '3' }])
  expect(await shown(target)).toMatchObject([{ w: '10:00', trips: 1, late: 0 }])
})

test('before image: a row leaves its group although the change does not say which group that was', async () => {
  const [log] = await begin()
  log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '10:06:00', 7, '5.00'), origin(11))
  await feed(target, log, 1)

  log.update(ride(1, '12:05:00', 8, '1.00'), origin(12)).delete({ id: 2 }, origin(13))
  await feed(target, log, 3)

  expect(await shown(target)).toMatchObject([{ w: '12:00', zone: 8, trips: 1, earnings: '1.00' }])
})

/** Two deliveries, of a topic partition each, whose rows are in one group. `before` is a row that is there. */
async function intoOneGroup(before: ReturnType<typeof ride>) {
  const [log, other] = await begin()
  log.create(before, origin(10))
  await feed(target, log, 1)
  log.create(ride(2, '10:02:00', 7, '1.00'), origin(11))
  other.create(ride(3, '10:03:00', 7, '1.00'), origin(12))
  return [await delivery(log, 2, 0), await delivery(other, 1, 1)] as const
}

/** Runs both, the second while the first has computed the group and has not committed yet. */
async function applyOneInAnother([first, second]: Awaited<ReturnType<typeof intoOneGroup>>): Promise<void> {
  await whileLocked('select from tidemark.window_watermark where topic_partition = 0 for update', async (release) => {
    const applied = [first()]
    await until('the first delivery waits', async () => (await waiting()) === 1)
    applied.push(second())
    await until('the second delivery waits for the group', async () => (await waiting()) === 2)
    await release()
    await Promise.all(applied)
  })
}

test('group lock: two topic partitions that change one group at the same time do not miss each other’s rows', async () => {
  await applyOneInAnother(await intoOneGroup(ride(1, '10:01:00', 7, '1.00')))

  expect(await shown(target)).toMatchObject([{ w: '10:00', zone: 7, trips: 3, earnings: '3.00' }])
})

test('group lock: two topic partitions that make one group at the same time make one group of both rows', async () => {
  await applyOneInAnother(await intoOneGroup(ride(1, '08:00:00', 1, '1.00')))

  expect((await shown(target))[1]).toMatchObject({ w: '10:00', zone: 7, trips: 2, earnings: '2.00' })
})

test('group lock: neither of two topic partitions computes a group before it has locked it', async () => {
  const [first, second] = await intoOneGroup(ride(1, '10:01:00', 7, '1.00'))
  const { rows } = await target.pool.query('select id from tidemark.window_definition')

  // Both have changed the image, and would not see each other's row if they had computed the group, too.
  await whileLocked(`select from tidemark_window_rows.w${rows[0].id}_groups for update`, async (release) => {
    const applied = [first(), second()]
    await until('both deliveries wait for the group', async () => (await waiting()) === 2)
    await release()
    await Promise.all(applied)
  })

  expect(await shown(target)).toMatchObject([{ w: '10:00', zone: 7, trips: 3, earnings: '3.00' }])
})
