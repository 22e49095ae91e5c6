import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadTrips } from '#feed/taxi-feed.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { putWindow } from '#test-support/windows/definitions.ts'
import { taxiDefinition, taxiLogs } from '#test-support/windows/taxi-log.ts'
import { settle } from '#test-support/windows/windows-run.ts'
import { makeLatestState } from '../apply/latest-state.ts'
import { makeWindows } from './windows.ts'

/** The figures of December 2023, in the order of the file and with one topic partition. */
const december = {
  trips: 64_215,
  zones: 220,
  windows: 18_631,
  shown: 1_278,
  shownTrips: 26_025,
  total: '1557922.15',
  late: 9_514,
}

let target: TestDatabase

beforeAll(async () => {
  target = await createDatabase('target')
  const [log] = taxiLogs(await loadTrips()) as [ReturnType<typeof taxiLogs>[number]]
  const place = { topic: 'changes', topicPartition: 0 }
  const latestState = makeLatestState(target.pool)
  const windows = makeWindows(target.pool)
  await latestState.apply({ consumer: 'tidemark-latest-state', ...place }, log.records.slice(0, 1))
  await putWindow(target, 'trips', taxiDefinition())
  await putWindow(target, 'closed', taxiDefinition('-- emit: on close', ''))
  await settle(windows, target.pool)
  for (let from = 0; from < log.records.length; from += 1_000) {
    const records = log.records.slice(from, from + 1_000)
    await latestState.apply({ consumer: 'tidemark-latest-state', ...place }, records)
    await windows.apply(place, records)
    await windows.maintain(0)
  }
}, 240_000)
afterAll(() => target.drop())

const one = async (sql: string) => (await target.pool.query(sql)).rows[0]

test('the windows of a month of taxi trips are those of batch SQL', async () => {
  const { id } = await one(`select id from tidemark.window_definition where name = 'trips'`)
  expect(
    await one(`select sum(rows)::integer as trips, count(distinct g1)::integer as zones, count(*)::integer as windows,
      sum(r3)::text as total from tidemark_window_rows.w${id}_groups`),
  ).toEqual({ trips: december.trips, zones: december.zones, windows: december.windows, total: december.total })
  expect(
    await one('select count(*)::integer as shown, sum(trips)::integer as "shownTrips" from tidemark_windows.trips'),
  ).toEqual({ shown: december.shown, shownTrips: december.shownTrips })
  const differences = await one(`select count(*)::integer as n from (
      (select window_start, zone, trips, last_ride, earnings from tidemark_windows.trips except ${batch}) union all
      (${batch} except select window_start, zone, trips, last_ride, earnings from tidemark_windows.trips)
    ) as differing`)
  expect(differences).toEqual({ n: 0 })
})

const batch = `select date_bin('1 hour', lpep_pickup_datetime, '1970-01-01'), pu_location_id, count(*), max(lpep_dropoff_datetime), sum(total_amount)
  from public.green_trips group by 1, 2 having count(*) >= 10`

test('as many trips are late as the order of the file makes late', async () => {
  expect(await one(`select count(*)::integer as late from tidemark.late_event where definition = 'trips'`)).toEqual({
    late: december.late,
  })
})

test('on close, each trip is in a window that was emitted, in one that is open, or late', async () => {
  const { id } = await one(`select id from tidemark.window_definition where name = 'closed'`)
  const { emitted, open, late } = await one(`select
    (select sum(trips)::integer from tidemark_windows.closed) as emitted,
    (select sum(rows)::integer from tidemark_window_rows.w${id}_groups where emitted_at is null) as open,
    (select count(*)::integer from tidemark.late_event where definition = 'closed') as late`)

  expect(late).toBe(december.late)
  expect(emitted + open + late).toBe(december.trips)
})
