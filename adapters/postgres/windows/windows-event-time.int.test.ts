import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChangeLog, type LoggedRecord } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeChoice } from '#test-support/histories/choice.ts'
import { putWindow } from '#test-support/windows/definitions.ts'
import { midnight, ridesContract } from '#test-support/windows/ride-life.ts'
import { byZone, complete, feed, origin, ride, shown } from '#test-support/windows/ride-log.ts'
import { makeLatestState } from '../apply/latest-state.ts'
import { makeWindows } from './windows.ts'

let target: TestDatabase
beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

const query = async (sql: string) => (await target.pool.query(sql)).rows

async function begin(text: string, topicPartitions = 1): Promise<ChangeLog[]> {
  const logs = Array.from({ length: topicPartitions }, (_, slot) =>
    new ChangeLog(slot).contract(ridesContract({ topicPartitions })),
  )
  for (const [slot, log] of logs.entries()) await feed(target, log, 0, slot)
  await putWindow(target, 'by_zone', text)
  await complete(target)
  return logs
}

const lateRows = () =>
  query(`select to_char(window_start, 'HH24:MI') as w, row ->> 'id' as id, counted from tidemark.late_event order by 2`)

test('a window is open, then final, then revised by a late row, which is counted and can be queried', async () => {
  const [log] = (await begin(byZone())) as [ChangeLog]
  log
    .create(ride(1, '10:05:00', 7, '1.00'), origin(10))
    .create(ride(2, '12:00:00', 7, '1.00'), origin(11))
    .create(ride(3, '10:06:00', 7, '1.00'), origin(12))
  await feed(target, log, 1)

  // The watermark was 11:00 when row 3 came.
  expect(await shown(target)).toMatchObject([
    { w: '10:00', trips: 2, state: 'revised', late: 1 },
    { w: '12:00', trips: 1, state: 'open', late: 0 },
  ])
  expect(await lateRows()).toEqual([{ w: '10:00', id: '3', counted: true }])
})

test('a row that is later than allowed is set aside with its values, and its window is closed', async () => {
  const [log] = (await begin(byZone('-- allowed lateness: 1 hour\n-- late rows: set aside'))) as [ChangeLog]
  log
    .create(ride(1, '10:05:00', 7, '1.00'), origin(10))
    .create(ride(2, '12:30:00', 7, '1.00'), origin(11))
    .create(ride(3, '10:06:00', 7, '1.00'), origin(12))
    .create(ride(4, '13:00:00', 7, '1.00'), origin(13))
    .create(ride(5, '10:07:00', 7, '1.00'), origin(14))
    .update(ride(1, '10:05:00', 7, '9.00'), origin(15))
  await feed(target, log, 1)

  // Row 3 came at watermark 11:30 and revises the window, row 5 at 12:00. A correction of a counted row is taken.
  expect((await shown(target))[0]).toMatchObject({ w: '10:00', trips: 2, earnings: '10.00', state: 'closed', late: 2 })
  expect(await lateRows()).toEqual([{ w: '10:00', id: '5', counted: false }])
})

test('a row that a snapshot reads is never late', async () => {
  const [log] = (await begin(byZone('-- late rows: set aside'))) as [ChangeLog]
  log.create(ride(1, '20:05:00', 7, '1.00'), origin(10))
  log.incrementalRead(ride(2, '10:05:00', 7, '1.00'), { table: 'rides' })

  await feed(target, log, 1)

  expect(await shown(target)).toHaveLength(2)
  expect(await lateRows()).toEqual([])
})

test('a row that is sent again, or read again, is late only if it was', async () => {
  const [log] = (await begin(byZone())) as [ChangeLog]
  log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '20:00:00', 7, '1.00'), origin(11))
  log.create(ride(3, '10:06:00', 7, '1.00'), origin(12))
  await feed(target, log, 1)

  log
    .start()
    .create(ride(1, '10:05:00', 7, '1.00'), origin(10))
    .create(ride(2, '20:00:00', 7, '1.00'), origin(11))
  log.incrementalRead(ride(1, '10:05:00', 7, '1.00'), { table: 'rides' })
  log.incrementalRead(ride(3, '10:06:00', 7, '1.00'), { table: 'rides' })
  await feed(target, log, 4)
  await query(`select tidemark.mark_windows(4711, 'a test')`)
  await makeWindows(target.pool).maintain(5_000)

  expect(await lateRows()).toEqual([{ w: '10:00', id: '3', counted: true }])
  expect((await shown(target))[0]).toMatchObject({ w: '10:00', trips: 2, late: 1 })
})

test('a row that is too far ahead of its commit is set aside and does not move the watermark', async () => {
  const [log] = (await begin(byZone('-- future rows: set aside after 2 hours'))) as [ChangeLog]
  log
    .create(ride(1, '14:00:00', 7, '1.00'), origin(10))
    .create(ride(2, '14:00:01', 7, '1.00'), origin(11))
    .create({ ...ride(3, null, 7, '1.00'), at: midnight + 10 * 365 * 86_400_000_000 }, origin(12))
  await feed(target, log, 1)

  expect(await shown(target)).toMatchObject([{ w: '14:00', trips: 1, state: 'open' }])
  expect(await query(`select row ->> 'id' as id from tidemark.future_event order by 1`)).toEqual([
    { id: '2' },
    { id: '3' },
  ])
  expect(await query(`select watermark::text from tidemark.window_status`)).toEqual([
    { watermark: '2024-01-01 13:00:00' },
  ])

  log.update(ride(2, '13:00:00', 7, '2.00'), origin(13))
  await feed(target, log, 4)
  expect(await query('select from tidemark.future_event')).toHaveLength(1)
})

test('the watermark is the least of the topic partitions, and one that is idle does not hold it back', async () => {
  const [fast, slow] = (await begin(byZone('-- idle after: 10 seconds'), 2)) as [ChangeLog, ChangeLog]
  const noon = Date.parse('2024-01-01T12:00:00Z')
  slow.create(ride(1, '10:30:00', 7, '1.00'), origin(10))
  fast.create(ride(2, '15:00:00', 7, '1.00'), origin(11))
  await feed(target, slow, 1, 1)
  await feed(target, fast, 1, 0)
  const watermark = async () => (await query('select watermark::text from tidemark.window_status'))[0].watermark
  expect(await watermark()).toBe('2024-01-01 09:30:00')

  const emittedAt = (ms: number) => new Date(noon + ms).toISOString()
  slow.beacon(1, { previousLsn: null, topicPartitions: 2 })
  const beacon = slow.records.at(-1)!
  const later: LoggedRecord = { ...beacon, value: beacon.value!.replace('2024-01-01T00:00:00Z', emittedAt(10_000)) }
  await makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 1 }, [
    later,
  ])
  await makeWindows(target.pool).apply({ topic: 'changes', topicPartition: 1 }, [later])

  expect(await watermark()).toBe('2024-01-01 14:00:00')
})

test('on close: a window is emitted once, and what it does not have is late, in any order of topic partitions', async () => {
  const topicPartitions = 3
  const logs = await begin(byZone('-- emit: on close\n-- publish: trips'), topicPartitions)
  const choice = makeChoice(Number(process.env['TIDEMARK_SEED'] ?? 42))
  for (let i = 0; i < 400; i++) {
    const minutes = Math.max(0, i * 2 - choice.below(choice.chance(20) ? 300 : 20))
    const row = { id: i, at: midnight + minutes * 60_000_000, zone: choice.below(3), fare: '1.00' }
    logs[i % topicPartitions]!.create(row, origin(100 + i))
  }

  await Promise.all(
    logs.map(async (log, topicPartition) => {
      const place = { topic: 'changes', topicPartition }
      const windows = makeWindows(target.pool)
      for (let from = 1; from < log.records.length; from += 7) {
        const records = log.records.slice(from, from + 7)
        await makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', ...place }, records)
        await windows.apply(place, records)
        await windows.maintain(0)
      }
    }),
  )

  const [counted] = await query(`select
    (select sum(rows)::integer from ${await groups()} where emitted_at is not null) as emitted,
    (select sum(rows)::integer from ${await groups()} where emitted_at is null) as open,
    (select count(*)::integer from tidemark.late_event) as late,
    (select sum(trips)::integer from tidemark_windows.by_zone) as shown,
    (select sum((record_value::jsonb ->> 'trips')::integer)::integer from tidemark.window_outbox) as published,
    (select count(*) = count(distinct record_key) from tidemark.window_outbox) as once`)
  expect(counted.emitted + counted.open + counted.late).toBe(400)
  expect(counted.late).toBeGreaterThan(0)
  expect(counted.emitted).toBeGreaterThan(100)
  expect([counted.shown, counted.published, counted.once]).toEqual([counted.emitted, counted.emitted, true])
})

test('on close: a correction of a row whose window was emitted leaves the window and is late', async () => {
  const [log] = (await begin(byZone('-- emit: on close'))) as [ChangeLog]
  log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '13:00:00', 7, '1.00'), origin(11))
  await feed(target, log, 1)
  expect(await shown(target)).toMatchObject([{ w: '10:00', trips: 1, earnings: '1.00', state: 'closed' }])

  log.update(ride(1, '10:05:00', 7, '9.00'), origin(12))
  await feed(target, log, 3)

  expect(await shown(target)).toMatchObject([{ w: '10:00', trips: 1, earnings: '1.00', state: 'closed' }])
  expect(await lateRows()).toMatchObject([{ id: '1' }])
})

test('a definition that is computed again keeps which rows were late, and the windows that were emitted', async () => {
  const [log] = (await begin(byZone('-- emit: on close'))) as [ChangeLog]
  log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '13:00:00', 7, '1.00'), origin(11))
  log.create(ride(3, '10:06:00', 7, '1.00'), origin(12)).create(ride(4, '12:30:00', 7, '1.00'), origin(13))
  await feed(target, log, 1)
  log.update(ride(1, '10:05:00', 7, '9.00'), origin(14))
  await feed(target, log, 5)
  const before = [await shown(target), await lateRows()]

  await query(`select tidemark.rebuild_window('by_zone')`)
  await complete(target)

  expect([await shown(target), await lateRows()]).toEqual(before)
  expect(before[0]).toMatchObject([{ w: '10:00', trips: 1, earnings: '1.00', state: 'closed' }])
  expect(before[1]).toMatchObject([{ id: '1' }, { id: '3' }])
})

async function groups(): Promise<string> {
  const [{ id }] = (await query('select id from tidemark.window_definition')) as [{ id: string }]
  return `tidemark_window_rows.w${id}_groups`
}
