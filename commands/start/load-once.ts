import { setTimeout } from 'node:timers/promises'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import type { ApplyActivity } from '#core/status/apply-activity.ts'
import type { Percentiles } from '#core/status/latencies.ts'
import type { Engine } from '#localstack/engine.ts'
import { formatCount } from '#terminal/quantities.ts'
import { type ArchiveCheck, checkArchive } from '#verify/archive/archive-check.ts'
import { type Comparison, compareDatabases, countMismatches } from '#verify/compare-databases.ts'
import { compareWindows, countWindowMismatches, type WindowsComparison } from '#verify/windows/compare-windows.ts'
import { startTripFeeding } from './trip-feeding.ts'

/** The last line that `npm start -- --once` prints. */
export type LoadResult = {
  /** The number of trips that were fed. */
  rows: number
  /** The number of rows that were compared, in all captured tables. */
  compared: number
  /** The number of rows that are not equal. A table that is stopped or missing counts as one. */
  mismatches: number
  /** The number of groups of windows that were compared. */
  windowGroups: number
  /** The number of groups of windows that differ from batch SQL in the source, or in the target. */
  windowMismatches: number
  /** The time from the start of the process until the first trip was visible in the target. */
  firstVisibleSeconds: number
  /** The rate of trips from the first one until all were visible. */
  appliedPerSecond: number
  commitToVisibleMs: Percentiles | null
} & ArchiveCheck

export type LoadOptions = {
  rows: number
  perSecond: number
  /** Begins to measure the apply function. The returned function gives its activity since then. */
  measure: () => () => ApplyActivity
  signal: AbortSignal
  onProgress: (what: string) => void
}

const waitMs = 3_600_000
const giveUpMs = 60_000

/**
 * Feeds trips, waits until source and target are equal, compares every row, and then compares the windows with batch SQL
 * and the archive with the topics, record by record. Throws if `signal` aborts.
 */
export async function loadOnce(
  engine: Pick<Engine, 'endpoints' | 'outputs'>,
  { rows, perSecond, measure, signal, onProgress }: LoadOptions,
): Promise<{ result: LoadResult; comparison: Comparison; windows: WindowsComparison }> {
  const { source, reader, target } = engine.endpoints
  onProgress('waiting for the tables to be captured')
  const feeding = startTripFeeding({ source, rows, perSecond, signal, giveUpMs })
  const lastTrip = await feeding.begun
  const activity = measure()
  const startMs = performance.now()
  const reporting = setInterval(
    () => onProgress(`fed ${formatCount(feeding.fed())} of ${formatCount(rows)} trips`),
    200,
  )
  try {
    const [firstVisibleSeconds] = await Promise.all([secondsUntilVisible(reader, lastTrip, signal), feeding.done])
    const fedMs = performance.now() - startMs
    clearInterval(reporting)
    const comparison = await compareDatabases({ source, target: reader, waitMs, onProgress })
    const windows = await compareWindows({ source, target, waitMs, onProgress })
    const result = {
      rows,
      compared: comparison.tables.reduce((sum, { sourceRows }) => sum + sourceRows, 0),
      mismatches: countMismatches(comparison),
      windowGroups: windows.definitions.reduce((sum, { groups }) => sum + (groups ?? 0), 0),
      windowMismatches: countWindowMismatches(windows),
      firstVisibleSeconds,
      appliedPerSecond: Math.round(rows / (fedMs / 1_000 + comparison.waitSeconds)),
      commitToVisibleMs: activity().commitToVisibleMs,
      ...(await checkArchive(engine, { signal, onProgress })),
    }
    return { result, comparison, windows }
  } finally {
    clearInterval(reporting)
  }
}

/** The time from the start of the process until a trip later than `lastTrip` is visible. */
async function secondsUntilVisible(reader: string, lastTrip: number, signal: AbortSignal): Promise<number> {
  const client = clientOfUrl(reader, 'tidemark-start')
  await client.connect()
  try {
    for (;;) {
      signal.throwIfAborted()
      const { rows } = await client.query(`select to_regclass('public.green_trips') is not null as exists`)
      if (rows[0].exists) {
        const trips = await client.query('select 1 from public.green_trips where trip_id > $1 limit 1', [lastTrip])
        if (trips.rows.length > 0) return Math.round(process.uptime() * 100) / 100
      }
      await setTimeout(10)
    }
  } finally {
    await client.end()
  }
}
