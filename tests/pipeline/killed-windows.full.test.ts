import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '#test-support/eventually.ts'
import { lastValues } from '#test-support/kafka/last-values.ts'
import { type PipelineComponent, startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { tripLoad } from '#test-support/trip-load.ts'
import { isEqual } from '#verify/compare-databases.ts'
import { compareWindows, countWindowMismatches } from '#verify/windows/compare-windows.ts'

const rows = 12_000
const perSecond = 400
/** The function publishes, too, so that its death ends a publisher between its records. */
const killed: readonly PipelineComponent[] = [
  ...(['maintain-windows', 'kafka', 'maintain-windows', 'connect'] as const),
  ...(['maintain-windows', 'apply-latest-state', 'kafka', 'maintain-windows'] as const),
]

let pipeline: TestPipeline

beforeAll(async () => {
  pipeline = await startPipeline()
})
afterAll(async () => {
  await pipeline?.stop()
})

test('windows and their topic are what batch SQL computes, whatever was killed during a load', async () => {
  const { source, target, engine } = pipeline
  const load = await tripLoad(pipeline, { rows, perSecond })
  let isLoading = true
  const loaded = load.done.finally(() => {
    isLoading = false
  })
  const killing = killAll(load.arrived)
  for (let round = 0; isLoading; round++) await changeTrips(round)
  await Promise.all([loaded, killing])

  const comparison = await pipeline.compare()
  const windows = await compareWindows({
    source: engine.endpoints.source,
    target: engine.endpoints.target,
    waitMs: 120_000,
  })

  expect(isEqual(comparison), JSON.stringify(comparison)).toBe(true)
  expect(countWindowMismatches(windows), JSON.stringify(windows.definitions)).toBe(0)
  expect(windows.definitions).toMatchObject([{ name: 'trips_by_zone', state: 'shown' }])
  expect(windows.definitions[0]!.groups).toBeGreaterThan(100)
  await until('everything to be published', async () => {
    const waiting = await target.query('select from tidemark.window_outbox limit 1')
    return waiting.rowCount === 0
  })
  const published = await lastValues(engine.endpoints.kafka, 'trips-by-zone')
  const shown = await target.query(
    `select count(*)::int as groups,
       count(*) filter (where (p.trips, p.earnings, p.last_ride) is distinct from (w.trips, w.earnings, w.last_ride))::int as differing
     from tidemark_windows.trips_by_zone w
     full join jsonb_to_recordset($1) as p (
       window_start timestamp, zone integer, trips bigint, earnings numeric, last_ride timestamp
     ) on (p.window_start, p.zone) = (w.window_start, w.zone)`,
    [JSON.stringify(Object.values(published).map((value) => JSON.parse(value)))],
  )
  expect(shown.rows).toEqual([{ groups: windows.definitions[0]!.groups, differing: 0 }])

  /** Changes times, zones and fares of some trips, and deletes others. */
  async function changeTrips(round: number): Promise<void> {
    await source.query(
      `update public.green_trips
       set total_amount = total_amount + 1, pu_location_id = case when trip_id % 3 = 0 then 74 else pu_location_id end,
         lpep_pickup_datetime = lpep_pickup_datetime + case when trip_id % 5 = 0 then interval '1 hour' else interval '0' end
       where trip_id % 61 = $1`,
      [round % 61],
    )
    await source.query('delete from public.green_trips where trip_id % 997 = $1', [round % 997])
    const before = await load.arrived()
    await until('more trips to arrive', async () => !isLoading || (await load.arrived()) !== before)
  }
})

/** Kills the components one after the other, each when more trips have arrived. */
async function killAll(arrived: () => Promise<number>): Promise<void> {
  for (const [index, component] of killed.entries()) {
    await until('more trips to arrive', async () => (await arrived()) > (rows / (killed.length + 2)) * (index + 0.5))
    process.kill(await until(`${component} to run`, async () => pipeline.pid(component)), 'SIGKILL')
  }
}
