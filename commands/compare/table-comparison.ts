import pg from 'pg'
import { keyColumns, type TableContract } from '#core/contract.ts'
import { differingKeys } from './differing-keys.ts'
import { LineReader } from './line-reader.ts'
import { judge, type RowDifference } from './row-differences.ts'
import { type Key, keyOrder } from './table-key.ts'
import type { Watermark } from './watermark.ts'

/** How one table compares. */
export type TableComparison = {
  table: string
  columns: string[]
  keyColumns: string[]
  sourceRows: number
  /** Null where the target has no such table. */
  targetRows: number | null
  differing: number
  /** Rows that the source changed every time they were looked at: neither equal nor different. */
  changing: number
  /** The first that differ. */
  examples: RowDifference[]
}

const mostExamples = 5
/** Rows that are looked at again together. */
const batchSize = 1_000
/** Once so many rows differ for certain, the rest is counted without a second look. */
const certainlyUnequal = 10_000
const progressMs = 200

/** Compares every row of a table while changes may flow; `onProgress` is told rows. Memory does not grow with the table. */
export async function compareTable(
  contract: TableContract,
  watermark: Watermark,
  onProgress: (rows: number) => void,
): Promise<TableComparison> {
  const result: TableComparison = {
    table: `${contract.schema}.${contract.table}`,
    columns: contract.columns.map(({ name }) => name),
    keyColumns: keyColumns(contract).map(({ name }) => name),
    sourceRows: 0,
    targetRows: 0,
    differing: 0,
    changing: 0,
    examples: [],
  }
  if (!(await isInTarget(contract, watermark))) {
    const sourceRows = await countRows(contract, watermark)
    return { ...result, sourceRows, targetRows: null, differing: sourceRows }
  }
  const source = new LineReader(watermark.source.copy(selectRows(contract)))
  const target = new LineReader(watermark.target.copy(selectRows(contract)))
  const progress = setInterval(() => onProgress(source.lines), progressMs)
  try {
    for await (const keys of inBatches(differingKeys(contract, source, target))) {
      await settle(result, contract, keys, watermark)
    }
  } finally {
    clearInterval(progress)
  }
  return { ...result, sourceRows: source.lines, targetRows: target.lines }
}

async function settle(result: TableComparison, contract: TableContract, keys: Key[], watermark: Watermark) {
  if (result.differing >= certainlyUnequal) {
    result.differing += keys.length
    return
  }
  const { differing, changing } = await judge(contract, keys, watermark)
  result.differing += differing.length
  result.changing += changing.length
  result.examples.push(...differing.slice(0, mostExamples - result.examples.length))
}

async function* inBatches(keys: AsyncIterable<Key>): AsyncGenerator<Key[]> {
  let batch: Key[] = []
  for await (const key of keys) {
    batch.push(key)
    if (batch.length < batchSize) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function selectRows(contract: TableContract): string {
  const columns = contract.columns.map(({ name }) => pg.escapeIdentifier(name)).join(', ')
  return `select ${columns} from ${tableName(contract)} order by ${keyOrder(contract)}`
}

async function isInTarget(contract: TableContract, { target }: Watermark): Promise<boolean> {
  const found = await target.query('select to_regclass($1) as name', [tableName(contract)])
  return found[0]?.['name'] !== null
}

async function countRows(contract: TableContract, { source }: Watermark): Promise<number> {
  const counted = await source.query(`select count(*)::float8 as rows from ${tableName(contract)}`)
  return counted[0]?.['rows']
}

function tableName({ schema, table }: TableContract): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`
}
