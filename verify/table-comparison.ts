import type { ComparedTable } from './compared-table.ts'
import type { DatabaseSession } from './database-session.ts'
import { differingKeys } from './differing-keys.ts'
import { LineReader } from './line-reader.ts'
import { type Difference, judge, type Row, readRow } from './row-differences.ts'
import { type Key, listRows } from './row-listing.ts'
import type { Watermark } from './watermark.ts'

/** A row that differs; undefined on the side where it is absent. */
export type RowDifference = {
  /** Values of the key; empty for a table without one. */
  key: Key
  source: Row | undefined
  target: Row | undefined
  /** How many such rows there are; of a table without a key only. */
  times?: { source: number; target: number }
}

/** How one table compares. */
export type TableComparison = {
  table: string
  columns: string[]
  /** Empty where no key tells rows apart and equal rows are counted. */
  keyColumns: string[]
  sourceRows: number
  /** Null where the target has no such table. */
  targetRows: number | null
  differing: number
  /** Rows that the source changed every time they were looked at: neither equal nor different. */
  changing: number
  /** Why the rows could not be compared; they are not equal then. */
  problem?: string
  /** The first that differ. */
  examples: RowDifference[]
}

/** Rows that are looked at again together: few where the key finds them, many where every look reads the whole table. */
const batchSize = { byKey: 1_000, byDigest: 20_000 }
/** Once so many rows differ for certain, the rest is counted without a second look. */
const certainlyUnequal = 10_000
/** Characters of examples kept of one table, so that rows of megabytes do not fill memory. */
const mostExampleText = 16_000_000
const progressMs = 200

/** What a comparison of a table needs. */
export type TableTask = {
  table: ComparedTable
  watermark: Watermark
  /** Most examples. */
  examples: number
  /** Told how many rows were read so far. */
  onProgress: (rows: number) => void
}

/** Compares every row of a table while changes may flow. Memory does not grow with the table. */
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
      await settle(result, { table, watermark, examples }, keys)
    }
  } finally {
    clearInterval(progress)
    // A session's next listing comes after the end of this one, also where DDL broke off the other side's.
    await Promise.allSettled([source.drain(), target.drain()])
  }
  return { ...result, sourceRows: source.lines, targetRows: target.lines }
}

async function settle(result: TableComparison, task: Omit<TableTask, 'onProgress'>, keys: Key[]): Promise<void> {
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

/** Names of the columns the target shows; undefined where it has no such table. */
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
  const told = problems.filter(([, names]) => names.length > 0).map(([what, names]) => `${what} ${names.join(', ')}`)
  return told.length === 0 ? undefined : `the target ${told.join(' and ')}`
}

async function countRows(table: ComparedTable, source: DatabaseSession): Promise<number> {
  const counted = await source.query(`select count(*)::float8 as rows from ${table.from.source} as it`)
  return counted[0]?.['rows']
}
