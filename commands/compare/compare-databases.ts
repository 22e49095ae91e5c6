import { formatQuantity } from '../terminal/quantities.ts'
import {
  readCapturedTables,
  readStoppedTables,
  readUncapturedTables,
  type StoppedTable,
  type UncapturedTable,
} from './captured-tables.ts'
import { type DatabaseSession, openSession } from './database-session.ts'
import { compareTable, type TableComparison } from './table-comparison.ts'
import { waitForReading, waitUntilVisible } from './watermark.ts'

export type CompareOptions = {
  /** URL of the source, as a role that reads its tables and may emit beacons. */
  source: string
  /** URL of the target, as a role that reads its views. */
  target: string
  /** `schema.table`; all captured tables without it. */
  table?: string
  /** Most time spent waiting, in all. */
  waitMs: number
  /** Told what is waited for or compared at the moment. */
  onProgress?: (what: string) => void
}

export type Comparison = {
  tables: TableComparison[]
  stopped: StoppedTable[]
  uncaptured: UncapturedTable[]
  /** Number of the beacon before which everything was visible when the comparison began. */
  beacon: number
  /** Until everything was visible, of `seconds` in all. */
  waitSeconds: number
  seconds: number
}

/**
 * Waits until everything committed in the source so far is visible in the target, then compares every row of every
 * captured table, by the text of every captured column, while changes may go on flowing. Memory does not grow with the
 * tables. Throws a LaggingError where the target does not get there within `waitMs`.
 */
export async function compareDatabases({
  source,
  target,
  table,
  waitMs,
  onProgress,
}: CompareOptions): Promise<Comparison> {
  const started = performance.now()
  const sessions = await openBoth(source, target)
  const onWait = (what: string) => onProgress?.(`waiting for ${what}`)
  const watermark = { ...sessions, deadline: Date.now() + waitMs, onWait }
  const isWanted = ({ name }: { name: string }) => table === undefined || name === table
  try {
    await waitForReading(watermark)
    const beacon = await waitUntilVisible(watermark)
    const waitSeconds = secondsSince(started)
    const stopped = (await readStoppedTables(sessions.target)).filter(isWanted)
    const uncaptured = (await readUncapturedTables(sessions.source)).filter(isWanted)
    const captured = (await readCapturedTables(sessions.source)).filter(isWanted)
    if (table !== undefined && captured.length + uncaptured.length === 0) {
      throw new Error(`${table} is not a table of the captured schemas`)
    }
    const tables: TableComparison[] = []
    for (const { relation, name, contract } of captured) {
      if (stopped.some((stop) => stop.relation === relation)) continue
      const tellRows = (rows: number) => onProgress?.(`comparing ${name}: ${formatQuantity(rows, 'row')}`)
      tables.push(await compareTable(contract, watermark, tellRows))
    }
    return { tables, stopped, uncaptured, beacon, waitSeconds, seconds: secondsSince(started) }
  } finally {
    await Promise.all([sessions.source.close(), sessions.target.close()])
  }
}

/** Rows that are not equal for certain; a table that is stopped or missing counts as one more. */
export function countMismatches({ tables, stopped }: Comparison): number {
  const missing = tables.filter(({ targetRows }) => targetRows === null).length
  return tables.reduce((sum, { differing, changing }) => sum + differing + changing, missing + stopped.length)
}

/** Whether source and target hold the same rows and the target goes on applying all of them. */
export function isEqual(comparison: Comparison): boolean {
  return countMismatches(comparison) === 0
}

const secondsSince = (startMs: number) => Math.round(performance.now() - startMs) / 1_000

async function openBoth(source: string, target: string): Promise<{ source: DatabaseSession; target: DatabaseSession }> {
  const first = await openSession('source', source)
  try {
    return { source: first, target: await openSession('target', target) }
  } catch (error) {
    await first.close()
    throw error
  }
}
