import { formatQuantity } from '#terminal/quantities.ts'
import type { ComparedTable } from '#verify/compared-table.ts'
import { differingKeys } from '#verify/differing-keys.ts'
import { LineReader } from '#verify/line-reader.ts'
import { type Row, readRow } from '#verify/row-differences.ts'
import { type Key, listRows } from '#verify/row-listing.ts'
import { shownTables, userState } from './shown-table.ts'
import { readShownContracts, readStopped, type StateSession, type UnfinishedTable } from './state-session.ts'

/** A row that differs; undefined on the side that does not have it. */
export type StateDifference = {
  /** The values of the key, or the digest of the row if the table has no key. */
  readonly key: Key
  readonly rebuilt: Row | undefined
  readonly live: Row | undefined
}

/** The result of comparing the rebuilt rows of a table with the live ones. */
export type ComparedState = {
  readonly table: string
  readonly columns: readonly string[]
  /** Empty if no key identifies rows. */
  readonly keyColumns: readonly string[]
  readonly rebuiltRows: number
  readonly liveRows: number
  readonly differing: number
  /** Why the rows are not comparable. They then count as not equal. */
  readonly problem?: string
  readonly examples: readonly StateDifference[]
}

/** The result of comparing a rebuilt state with a live one. */
export type StateComparison = {
  readonly tables: readonly ComparedState[]
  /**
   * Tables that are stopped in the live target, which therefore lacks changes that the archive has. They are not
   * compared.
   */
  readonly stoppedLive: readonly UnfinishedTable[]
  /** Tables that are stopped only in the rebuilt state. */
  readonly stoppedRebuilt: readonly UnfinishedTable[]
  readonly onlyLive: readonly string[]
  readonly onlyRebuilt: readonly string[]
}

/** Whether every table of the rebuilt state equals the live one. */
export const isEqualState = (compared: StateComparison): boolean =>
  countUnlike(compared) + compared.stoppedLive.length === 0 && compared.tables.every(({ differing }) => differing === 0)

/** The number of tables that are not comparable as a whole. */
export const countUnlike = ({ tables, stoppedRebuilt, onlyLive, onlyRebuilt }: StateComparison): number =>
  stoppedRebuilt.length +
  onlyLive.length +
  onlyRebuilt.length +
  tables.filter(({ problem }) => problem !== undefined).length

/** The input for a comparison. */
export type ComparisonOptions = {
  readonly rebuilt: StateSession
  readonly live: StateSession
  /** `schema.table`; if empty, all tables. */
  readonly tables: readonly string[]
  /** The greatest number of differing rows that are shown of a table. */
  readonly examples: number
  readonly onProgress: (what: string) => void
}

/** Compares every row by the text of every column. Memory does not grow with the tables. */
export async function compareStates(options: ComparisonOptions): Promise<StateComparison> {
  const { rebuilt, live, tables: only } = options
  const [rebuiltTables, liveTables] = [
    shownTables(await readShownContracts(rebuilt), only),
    shownTables(await readShownContracts(live), only),
  ]
  const stoppedLive = await readStopped(live)
  const isStopped = ({ relations }: ComparedTable) => stoppedLive.some(({ relation }) => relations.includes(relation))
  const missingIn = (there: ComparedTable[], here: ComparedTable[]) =>
    there.filter((table) => !isStopped(table) && !here.some(({ name }) => name === table.name)).map(({ name }) => name)
  const tables: ComparedState[] = []
  for (const table of liveTables) {
    const twin = rebuiltTables.find(({ name }) => name === table.name)
    if (twin === undefined || isStopped(table)) continue
    const compared = await compareTable(table, twin, options)
    const isUnused = table === userState && compared.rebuiltRows + compared.liveRows === 0
    if (!isUnused) tables.push(compared)
  }
  const isAsked = ({ name }: UnfinishedTable) => only.length === 0 || only.includes(name)
  return {
    tables,
    stoppedLive: stoppedLive.filter(isAsked),
    stoppedRebuilt: (await readStopped(rebuilt)).filter(
      (stop) => isAsked(stop) && !stoppedLive.some(({ relation }) => relation === stop.relation),
    ),
    onlyLive: missingIn(liveTables, rebuiltTables),
    onlyRebuilt: missingIn(rebuiltTables, liveTables),
  }
}

async function compareTable(
  table: ComparedTable,
  twin: ComparedTable,
  options: ComparisonOptions,
): Promise<ComparedState> {
  const { rebuilt, live, examples: mostExamples } = options
  const result = {
    table: table.name,
    columns: table.columns.map(({ name }) => name),
    keyColumns: table.key.map(({ name }) => name),
  }
  if (columnsOf(table) !== columnsOf(twin)) {
    const problem = `it has the columns ${columnsOf(table)}, rebuilt ${columnsOf(twin)}`
    return { ...result, rebuiltRows: 0, liveRows: 0, differing: 0, problem, examples: [] }
  }
  const before = await readStorage(live, table)
  const listed = await listDiffering(table, options).catch((error: Error & { code?: string }) => {
    if (!GONE.includes(error.code ?? '')) throw error
    throw alteredMeanwhile(table, error)
  })
  // A transaction that began before DDL rewrote the table sees it empty.
  if (listed.differing > 0 && (await readStorage(live, table)) !== before) throw alteredMeanwhile(table)
  const examples: StateDifference[] = []
  for (const key of listed.keys.slice(0, mostExamples)) {
    examples.push({ key, rebuilt: await readRow(rebuilt, table, key), live: await readRow(live, table, key) })
  }
  const { keys: _, ...counts } = listed
  return { ...result, ...counts, examples }
}

async function listDiffering(table: ComparedTable, { rebuilt, live, examples, onProgress }: ComparisonOptions) {
  const listing = listRows(table)
  const ours = new LineReader(rebuilt.copy(listing.select('target')))
  const theirs = new LineReader(live.copy(listing.select('target')))
  const report = () => onProgress(`comparing ${table.name}: ${formatQuantity(theirs.lines, 'row')}`)
  const progress = setInterval(report, PROGRESS_MS)
  const keys: Key[] = []
  let differing = 0
  try {
    for await (const key of differingKeys(listing, ours, theirs)) {
      differing++
      if (keys.length < examples) keys.push(key)
    }
  } finally {
    clearInterval(progress)
    // The session can run its next query only after the listing has ended.
    await Promise.allSettled([ours.drain(), theirs.drain()])
  }
  return { rebuiltRows: ours.lines, liveRows: theirs.lines, differing, keys }
}

const PROGRESS_MS = 200

/** SQLSTATEs of errors about tables, columns and types that no longer exist. */
const GONE = ['42P01', '42703', '42704', '42883', '3F000', 'XX000']

const alteredMeanwhile = ({ name }: ComparedTable, cause?: Error): Error =>
  new Error(`${name} was altered in the live target meanwhile: run the rebuild again`, { cause })

const columnsOf = ({ columns }: ComparedTable): string =>
  columns.map(({ name, carried, key }) => `${name} ${carried}${key === null ? '' : ` (key ${key})`}`).join(', ')

/**
 * A text that changes when a table with rows of it is rewritten or dropped. A transaction that is under way has no
 * other way to see this.
 */
async function readStorage(live: StateSession, { relations }: ComparedTable): Promise<string> {
  const rows = await live.query<{ storage: string }>(
    `select string_agg(c.relname || coalesce(pg_relation_filenode(c.oid)::text, ''), ' ' order by c.relname) as storage
     from pg_class c
     where c.relnamespace = 'tidemark_rows'::regnamespace
       and c.relkind = 'r'
       and substring(c.relname from '^t(\\d+)_')::bigint = any ($1)`,
    [relations],
  )
  return rows[0]!.storage
}
