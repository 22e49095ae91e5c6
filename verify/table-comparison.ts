import type { ComparedTable } from './compared-table.ts'
import type { DatabaseSession } from './database-session.ts'
import { differingKeys } from './differing-keys.ts'
import { LineReader } from './line-reader.ts'
import { type Difference, judge, type Row, readRow } from './row-differences.ts'
import { type Key, listRows } from './row-listing.ts'
import type { Watermark } from './watermark.ts'

/** A row that differs; undefined on the side that does not have it. */
export type RowDifference = {
  /** The values of the key; empty for a table without a key. */
  key: Key
  source: Row | undefined
  target: Row | undefined
  /** The number of such rows on each side; only for a table without a key. */
  times?: { source: number; target: number }
}

/** The result of comparing one table. */
export type TableComparison = {
  table: string
  columns: string[]
  /** Empty if no key identifies rows, and equal rows are counted. */
  keyColumns: string[]
  sourceRows: number
  /** Null if the target has no such table. */
  targetRows: number | null
  differing: number
  /**
   * The number of rows that the source changed between every two looks, so that they are neither equal nor different.
   */
  changing: number
  /** Why the rows could not be compared. They then count as not equal. */
  problem?: string
  /** The first rows that differ. */
  examples: RowDifference[]
}

/**
 * The number of rows that are looked at again together: few if the key finds them, many if every look reads the whole
 * table.
 */
const batchSize = { byKey: 1_000, byDigest: 20_000 }
/** After this many certain differences, further rows are counted without a second look. */
const certainlyUnequal = 10_000
/** The greatest number of characters that examples of one table keep, so that large rows do not fill the memory. */
const mostExampleText = 16_000_000
const progressMs = 200

/** The input for the comparison of a table. */
export type TableTask = {
  table: ComparedTable
  watermark: Watermark
  /** The greatest number of examples. */
  examples: number
  /** It is called with the number of rows that were read so far. */
  onProgress: (rows: number) => void
}

/** Compares every row of a table while changes may continue. Memory does not grow with the table. */
export async function compareTable({ table, watermark, examples, onProgress }: TableTask): Promise<TableComparison> {
  const result: TableComparison = {
    table: table.name,
    columns: table.columns.map(({ name }) => name),
    keyColumns: table.key.map(({ name }) => name),
    sourceRows: 0,
    targetRows: 0,
    differing: 0,
    changing: 0,
    examples: [],
  }
  const shown = await readTargetColumns(table, watermark.target)
  if (shown === undefined) {
    const sourceRows = await countRows(table, watermark.source)
    return { ...result, sourceRows, targetRows: null, differing: sourceRows }
  }
  const problem = describeColumns(result.columns, shown)
  if (problem !== undefined) return { ...result, problem }
  const listing = listRows(table)
  const source = new LineReader(watermark.source.copy(listing.select('source')))
  const target = new LineReader(watermark.target.copy(listing.select('target')))
  const progress = setInterval(() => onProgress(source.lines), progressMs)
  try {
    const size = table.key.length > 0 ? batchSize.byKey : batchSize.byDigest
    for await (const keys of inBatches(differingKeys(listing, source, target), size)) {
      await addDifferences(result, { table, watermark, examples }, keys)
    }
  } finally {
    clearInterval(progress)
    // The next listing of a session can begin only after this one has ended, also if DDL has ended that of the other
    // side.
    await Promise.allSettled([source.drain(), target.drain()])
  }
  return { ...result, sourceRows: source.lines, targetRows: target.lines }
}

async function addDifferences(
  result: TableComparison,
  task: Omit<TableTask, 'onProgress'>,
  keys: Key[],
): Promise<void> {
  if (result.differing >= certainlyUnequal) {
    result.differing += keys.length
    return
  }
  const { table, watermark, examples } = task
  const { differing, changing } = await judge(table, keys, watermark)
  const byKey = table.key.length > 0
  for (const each of differing) {
    result.differing += byKey ? 1 : Math.abs((each.source?.rows ?? 0) - (each.target?.rows ?? 0))
  }
  result.changing += changing.length
  for (const each of differing) {
    if (result.examples.length >= examples || textOf(result.examples) > mostExampleText) return
    result.examples.push(await readExample(table, watermark, each))
  }
}

async function readExample(table: ComparedTable, watermark: Watermark, difference: Difference): Promise<RowDifference> {
  const { key, source, target } = difference
  const [sourceRow, targetRow] = await Promise.all([
    source && readRow(watermark.source, table, key),
    target && readRow(watermark.target, table, key),
  ])
  if (table.key.length > 0) return { key, source: sourceRow, target: targetRow }
  return {
    key: [],
    source: sourceRow,
    target: targetRow,
    times: { source: source?.rows ?? 0, target: target?.rows ?? 0 },
  }
}

function textOf(examples: RowDifference[]): number {
  const rows = examples.flatMap(({ source, target }) => [source ?? [], target ?? []])
  return rows.flat().reduce((sum, value) => sum + (value?.length ?? 0), 0)
}

async function* inBatches(keys: AsyncIterable<Key>, size: number): AsyncGenerator<Key[]> {
  let batch: Key[] = []
  for await (const key of keys) {
    batch.push(key)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** The names of the columns that the target shows; undefined if it has no such table. */
async function readTargetColumns(table: ComparedTable, target: DatabaseSession): Promise<string[] | undefined> {
  const [found] = await target.query<{ exists: boolean; columns: string[] }>(
    `select to_regclass($1) is not null as exists, array(
      select a.attname::text
      from pg_attribute a
      where a.attrelid = to_regclass($1)
        and a.attnum > 0
        and not a.attisdropped
    ) as columns`,
    [table.identifier],
  )
  return found?.exists ? found.columns : undefined
}

function describeColumns(wanted: string[], shown: string[]): string | undefined {
  const problems = [
    ['has no column', wanted.filter((name) => !shown.includes(name))],
    ['shows a column that the source has not:', shown.filter((name) => !wanted.includes(name))],
  ] as const
  const described = problems
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what} ${names.join(', ')}`)
  return described.length === 0 ? undefined : `the target ${described.join(' and ')}`
}

async function countRows(table: ComparedTable, source: DatabaseSession): Promise<number> {
  const counted = await source.query(`select count(*)::float8 as rows from ${table.from.source} as it`)
  return counted[0]?.['rows']
}
