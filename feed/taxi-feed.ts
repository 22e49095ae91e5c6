import { readFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { paced, processClock } from '#lambdas/producer/pace.ts'
import { readTrips, tripColumns } from './trips.ts'

const tripsFile = new URL('../fixtures/green_tripdata_2023-12.parquet', import.meta.url)
const zonesFile = new URL('../fixtures/taxi_zone_lookup.csv', import.meta.url)
const tables = new URL('taxi-tables.sql', import.meta.url)

/** Trips in one COPY, and so in one transaction, at most; a slow feed that was stalled catches up one by one as well. */
function largestCommit(perSecond: number): number {
  return perSecond <= 100 ? 1 : 5_000
}

/** Creates `public.green_trips` and `public.taxi_zones` where they are absent. */
export async function createTaxiTables(client: pg.ClientBase): Promise<void> {
  await client.query(await readFile(tables, 'utf8'))
}

/** Inserts the zones where there are none. */
export async function fillTaxiZones(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query('select 1 from public.taxi_zones limit 1')
  if (rows.length > 0) return
  await copy(client, 'copy public.taxi_zones from stdin (format csv, header)', await readFile(zonesFile, 'utf8'))
}

/** Creates the tables where they are absent, with the zones. */
export async function prepareTaxiTables(client: pg.ClientBase): Promise<void> {
  await createTaxiTables(client)
  await fillTaxiZones(client)
}

export type TaxiFeed = {
  /** As `loadTrips` returns them. */
  trips: string[]
  /** Trips to insert; more than there are begins them again. */
  rows: number
  /** Trips per second; Infinity for as fast as the source takes them. */
  perSecond: number
  signal?: AbortSignal
  /** Told after each commit how many trips are committed so far. */
  onProgress?: (fed: number) => void
}

/** The 64,215 green taxi trips of December 2023. */
export function loadTrips(): Promise<string[]> {
  return readTrips(fileURLToPath(tripsFile))
}

/**
 * Inserts trips into `public.green_trips`, up to 100 a second one per transaction, above that those due within 10 ms
 * together. Returns how many were committed: fewer than `rows` only where `signal` aborted.
 */
export async function feedTrips(client: pg.ClientBase, feed: TaxiFeed): Promise<number> {
  const { trips, rows, perSecond, signal, onProgress } = feed
  const statement = `copy public.green_trips (${tripColumns.join(', ')}) from stdin`
  const pace = { total: rows, perSecond, largest: largestCommit(perSecond), ...(signal && { signal }) }
  let fed = 0
  for await (const count of paced(pace, processClock)) {
    await copy(client, statement, Array.from({ length: count }, (_, i) => trips[(fed + i) % trips.length]).join(''))
    fed += count
    onProgress?.(fed)
  }
  return fed
}

function copy(client: pg.ClientBase, statement: string, text: string): Promise<void> {
  return pipeline([text], client.query(copyFrom(statement)))
}
