import { formatQuantity } from '#terminal/quantities.ts'
import { requireTables } from '#terminal/table-names.ts'
import { watchCapture } from './capture-health.ts'
import {
  readCapturedTables,
  readStoppedTables,
  readTablesOnlyInTarget,
  readTablesUnderWay,
  readUncapturedTables,
  type StoppedTable,
  type UncapturedTable,
} from './captured-tables.ts'
import { type ComparedTable, comparedTables } from './compared-table.ts'
import { type DatabaseSession, openSession } from './database-session.ts'
import { compareTable, type TableComparison } from './table-comparison.ts'
import { type Watermark, waitForSnapshots, waitUntilVisible } from './watermark.ts'

export type CompareOptions = {
  /** URL of the source, for a role that reads its tables and may emit beacons. */
  source: string
  /** URL of the target, for a role that reads its views. */
  target: string
  /** `schema.table`; by default all captured tables are compared. */
  table?: string
  /** Tables for which it returns false are left out. The name is `schema.table`. */
  only?: (name: string) => boolean
  /** The greatest number of differing rows that are shown of a table. */
  examples?: number
  /** The time limit for all waits together. */
  waitMs: number
  /** It is called with what is waited for or compared at the moment. */
  onProgress?: (what: string) => void
  /** It is called when everything is visible and the comparison begins. */
  onVisible?: (begun: BegunComparison) => void
  /** It is called with the result of each table, as soon as there is one. */
  onCompared?: (comparison: TableComparison) => void
}

/** What is compared: all that was committed in the source before `asOf` (ISO 8601, by the clock of the source). */
export type BegunComparison = Pick<Comparison, 'stopped' | 'uncaptured'> & {
  asOf: string
  /** The tables that are compared, in their order. */
  tables: string[]
}

export type Comparison = {
  tables: TableComparison[]
  stopped: StoppedTable[]
  uncaptured: UncapturedTable[]
  /** Tables that the target shows and the source does not have. */
  onlyInTarget: string[]
  /** The number of the beacon before which everything was visible when the comparison began. */
  beacon: number
  /** The part of `seconds` until everything was visible. */
  waitSeconds: number
  seconds: number
}

const fewExamples = 5
/**
 * How often a table is compared if DDL keeps changing it, so that its columns in the target are not those of the
 * source.
 */
const mostLooks = 5

/**
 * Waits until everything that is committed in the source so far is visible in the target. Then compares every row of
 * every captured table, by the text of every captured column. Changes may continue meanwhile. Memory does not grow with
 * the tables. Throws a LaggingError if the target does not get there within `waitMs`, or a snapshot of a table is still
 * under way. Capture is checked about once a second; if it is down, a CaptureDownError ends the wait.
 */
export async function compareDatabases(options: CompareOptions): Promise<Comparison> {
  const { table, only, waitMs, onProgress } = options
  const started = performance.now()
  const sessions = await openBoth(options.source, options.target)
  const onWait = (what: string) => onProgress?.(`waiting for ${what}`)
  const isWanted = ({ name }: { name: string }) => (table === undefined || name === table) && (only?.(name) ?? true)
  try {
    const requireCapture = await watchCapture(sessions.target)
    const watermark = { ...sessions, deadline: Date.now() + waitMs, onWait, requireCapture }
    if (table !== undefined) await requireTable(table, watermark)
    await waitForSnapshots(watermark, isWanted)
    const asOf = await readClock(sessions.source)
    const beacon = await waitUntilVisible(watermark)
    const waitSeconds = secondsSince(started)
    const stops = await readStoppedTables(sessions.target)
    const stopped = stops.filter(isWanted)
    const uncaptured = (await readUncapturedTables(sessions.source)).filter(isWanted)
    // A table is skipped if one of its relations is stopped: the target then shows some rows that are old and some that
    // are new.
    const isApplied = ({ relations }: ComparedTable) =>
      !relations.some((relation) => stops.some((stop) => stop.relation === `${relation}`))
    const captured = (await readComparedTables(sessions.source)).filter(isWanted).filter(isApplied)
    options.onVisible?.({ asOf, tables: captured.map(({ name }) => name), stopped, uncaptured })
    const tables: TableComparison[] = []
    for (const each of captured) {
      const compared = await compareAtRest(each, watermark, options)
      if (compared === undefined) continue
      tables.push(compared)
      options.onCompared?.(compared)
    }
    const onlyInTarget = (await findOnlyInTarget(watermark)).filter((name) => isWanted({ name }))
    return { tables, stopped, uncaptured, onlyInTarget, beacon, waitSeconds, seconds: secondsSince(started) }
  } finally {
    await Promise.all([sessions.source.close(), sessions.target.close()])
  }
}

/** A misspelt name is refused before anything is waited for. */
async function requireTable(table: string, watermark: Watermark): Promise<void> {
  const { source, target } = watermark
  const found = [
    ...(await readComparedTables(source)),
    ...(await readTablesUnderWay(source)),
    ...(await readUncapturedTables(source)),
    ...(await readStoppedTables(target)),
  ]
  const onlyInTarget = await findOnlyInTarget(watermark)
  requireTables([table], [...found.map(({ name }) => name), ...onlyInTarget])
}

/**
 * The number of rows that are not known to be equal. A table that is stopped, on one side only or not comparable counts
 * as one more.
 */
export function countMismatches({ tables, stopped, onlyInTarget }: Comparison): number {
  const whole = tables.filter(({ targetRows, problem }) => targetRows === null || problem !== undefined).length
  const rows = tables.reduce((sum, { differing, changing }) => sum + differing + changing, 0)
  return rows + whole + stopped.length + onlyInTarget.length
}

/** Whether source and target have the same rows, and the target still applies changes of all tables. */
export function isEqual(comparison: Comparison): boolean {
  return countMismatches(comparison) === 0
}

async function readClock(source: DatabaseSession): Promise<string> {
  const [clock] = await source.query<{ now: string }>(
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now`,
  )
  return clock!.now
}

const readComparedTables = async (source: DatabaseSession) => comparedTables(await readCapturedTables(source))

/** Compares a table, and repeats this if DDL changes it meanwhile. Undefined if it is dropped meanwhile. */
async function compareAtRest(
  first: ComparedTable,
  watermark: Watermark,
  { examples = fewExamples, onProgress }: CompareOptions,
): Promise<TableComparison | undefined> {
  let table = first
  for (let look = 1; ; look++) {
    const reportRows = (rows: number) => onProgress?.(`comparing ${table.name}: ${formatQuantity(rows, 'row')}`)
    const result = await compareTable({ table, watermark, examples, onProgress: reportRows }).catch(asBrokenOff)
    if (!(result instanceof Error) && result.targetRows !== null && result.problem === undefined) return result
    await waitUntilVisible(watermark)
    const now = (await readComparedTables(watermark.source)).find(({ name }) => name === table.name)
    if (now === undefined) return undefined
    if (look === mostLooks || (look > 1 && now.shape === table.shape && !(result instanceof Error))) {
      if (result instanceof Error)
        throw new Error(`${table.name} was altered during each of ${look} comparisons: run the comparison again`, {
          cause: result,
        })
      return result
    }
    table = now
  }
}

/**
 * Returns errors that occur if DDL changes a table between the look at the catalog and the read of its rows. Throws
 * every other error.
 */
function asBrokenOff(error: Error & { code?: string }): Error {
  const undefinedThings = ['42P01', '42703', '42704', '42883', '3F000', 'XX000']
  if (undefinedThings.includes(error.code ?? '')) return error
  throw error
}

async function findOnlyInTarget(watermark: Watermark): Promise<string[]> {
  const found = await readTablesOnlyInTarget(watermark)
  if (found.length === 0) return []
  // This waits for drops in the source that the target has not applied yet.
  await waitUntilVisible(watermark)
  return readTablesOnlyInTarget(watermark)
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
