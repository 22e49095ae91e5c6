import pg from 'pg'
import { feedTrips, loadTrips, prepareTaxiTables } from '#feed/taxi-feed.ts'
import { until } from './eventually.ts'
import type { TestPipeline } from './pipeline.ts'

/** Taxi trips that are being loaded into the source. */
export type TripLoad = {
  /** Returns how many trips the target has. */
  arrived(): Promise<number>
  /** Settles when all trips are in the source. */
  done: Promise<number>
}

/**
 * Waits until the trips' tables are captured, so that the load is streamed, and then starts to insert `rows` trips,
 * `perSecond` of them.
 */
export async function tripLoad(
  pipeline: TestPipeline,
  { rows, perSecond }: { rows: number; perSecond: number },
): Promise<TripLoad> {
  const client = new pg.Client({ connectionString: pipeline.engine.endpoints.source })
  await client.connect()
  await prepareTaxiTables(client)
  const trips = await loadTrips()
  await until('tables that are captured', async () => {
    const { rows: captured } = await client.query(`select from tidemark.captured_table where state = 'captured'`)
    return captured.length === 2
  })
  return {
    async arrived() {
      const counted = await pipeline.target
        .query('select count(*)::int as n from public.green_trips')
        .catch(() => undefined)
      return counted?.rows[0].n ?? 0
    },
    done: feedTrips(client, { trips, rows, perSecond }).finally(() => client.end()),
  }
}
