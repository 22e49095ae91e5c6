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

/**
 * The greatest number of trips in one COPY, and so in one transaction. A slow feed that was stalled also catches up one
 * by one.
 */
function largestCommit(perSecond: number): number {
  return perSecond <= 100 ? 1 : 5_000
}

/** Creates `public.green_trips` and `public.taxi_zones` if they do not exist. */
export async function createTaxiTables(client: pg.ClientBase): Promise<void> {
  await client.query(await readFile(tables, 'utf8'))
}

/** Inserts the zones if there are none. */
export async function fillTaxiZones(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query('select 1 from public.taxi_zones limit 1')
  if (rows.length > 0) return
  await copy(client, 'copy public.taxi_zones from stdin (format csv, header)', await readFile(zonesFile, 'utf8'))
}

/** Creates the tables if they do not exist, and inserts the zones. */
export async function prepareTaxiTables(client: pg.ClientBase): Promise<void> {
  await createTaxiTables(client)
  await fillTaxiZones(client)
}

export type TaxiFeed = {
  /** The lines that `loadTrips` returns. */
  trips: string[]
  /** The number of trips to insert. If there are fewer, they are repeated from the first. */
  rows: number
  /** Trips per second; Infinity for as fast as the source takes them. */
  perSecond: number
  signal?: AbortSignal
  /** It is called after each commit with the number of trips that are committed so far. */
  onProgress?: (fed: number) => void
}

/** The 64,215 green taxi trips of December 2023. */
export function loadTrips(): Promise<string[]> {
  return readTrips(fileURLToPath(tripsFile))
}

/**
 * Inserts trips into `public.green_trips`. Up to 100 trips per second, each has a transaction of its own; above that,
 * all that are due within 10 ms share one. Returns the number of committed trips, which is less than `rows` only if
 * `signal` aborted.
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
