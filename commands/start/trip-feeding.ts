import { setTimeout } from 'node:timers/promises'
import type pg from 'pg'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { createTaxiTables, feedTrips, fillTaxiZones, loadTrips } from '#feed/taxi-feed.ts'

/** A feed of trips into the source. */
export type TripFeeding = {
  fed(): number
  /** The reason why it does not progress at the moment. It keeps retrying. */
  lastError(): string | undefined
  /** Resolves with the greatest trip_id of earlier runs when the tables are captured and the first trip follows. */
  begun: Promise<number>
  /** Resolves when all trips are in the source. Rejects if `signal` aborted or the feed gave up. */
  done: Promise<void>
}

export type TripFeedingOptions = {
  source: string
  /** The total number of trips to insert. */
  rows: number
  perSecond: number
  signal: AbortSignal
  /** How long a source may refuse trips before the feed gives up. */
  giveUpMs: number
}

/**
 * How long to wait for the capture of the tables. Rows that are inserted before are read later by a snapshot, instead
 * of being streamed.
 */
const captureMs = 30_000
/**
 * The number of beacons, 100 a second, after which Connect and the functions have compiled the code that they run all
 * the time.
 */
const warmUpBeacons = 150
const retryMs = 1_000

/** Feeds the taxi trips, and continues after restarts of the source. */
export function startTripFeeding({ source, rows, perSecond, signal, giveUpMs }: TripFeedingOptions): TripFeeding {
  const begun = Promise.withResolvers<number>()
  const loading = loadTrips()
  let fed = 0
  let lastError: string | undefined
  let workedAt = performance.now()

  const feedRest = async (client: pg.Client) => {
    await createTaxiTables(client)
    await awaitCapture(client, signal)
    await fillTaxiZones(client)
    begun.resolve(await lastTrip(client))
    const before = fed
    const onProgress = (count: number) => {
      fed = before + count
      lastError = undefined
      workedAt = performance.now()
    }
    await feedTrips(client, { trips: await loading, rows: rows - before, perSecond, signal, onProgress })
  }
  const feedAll = async () => {
    while (fed < rows && !signal.aborted) {
      lastError = await withClient(source, feedRest)
      if (lastError === undefined) continue
      if (performance.now() - workedAt > giveUpMs)
        throw new Error(`no trips can be inserted into the source: ${lastError}`)
      await setTimeout(retryMs, undefined, { signal }).catch(() => undefined)
    }
    signal.throwIfAborted()
  }
  const done = feedAll()
  // A failure before the first trip rejects both promises. A caller that awaits neither shows lastError.
  done.catch(begun.reject)
  begun.promise.catch(() => undefined)
  return { fed: () => fed, lastError: () => lastError, begun: begun.promise, done }
}

/** Runs work with a client. Returns the error message, or undefined if it succeeded. */
async function withClient(source: string, work: (client: pg.Client) => Promise<void>): Promise<string | undefined> {
  const client = clientOfUrl(source, 'tidemark-feed')
  // If the connection is lost, the query under way fails as well. Without a listener, the event would end the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
    await work(client)
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    await client.end().catch(() => undefined)
  }
}

/**
 * Waits until the tables are captured or refused. Beacons go through the whole pipeline meanwhile. Without them, the
 * latency of the first trips would include the time of the compilers.
 */
async function awaitCapture(client: pg.Client, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + captureMs
  for (let beacons = 0; performance.now() < deadline && !signal.aborted; beacons++) {
    const { rows } = await client.query(`
      select tidemark.emit_beacon(), count(*)::integer as finished
      from tidemark.captured_table
      where schema_name = 'public'
        and table_name in ('green_trips', 'taxi_zones')
        and state in ('captured', 'refused')`)
    if (rows[0].finished === 2 && beacons >= warmUpBeacons) return
    await setTimeout(10)
  }
}

async function lastTrip(client: pg.Client): Promise<number> {
  const { rows } = await client.query('select coalesce(max(trip_id), 0)::float8 as last from public.green_trips')
  return rows[0].last
}
