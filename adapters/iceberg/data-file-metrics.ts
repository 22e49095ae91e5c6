import { type ArchiveColumn, type ArchiveValue, archiveColumns } from './archive-table.ts'
import { truncateLower, truncateUpper } from './single-value.ts'

/** A bound of a column: text, or a whole number. */
export type Bound = string | number

/** What a manifest tells of a data file's columns, by field id. JSON, so that the ledger can keep it. */
export type DataFileMetrics = {
  readonly columnSizes: Readonly<Record<number, number>>
  readonly valueCounts: Readonly<Record<number, number>>
  readonly nullCounts: Readonly<Record<number, number>>
  /** Of columns that are bounded and not all null. Texts are whole, or a prefix that is no greater. */
  readonly lowerBounds: Readonly<Record<number, Bound>>
  /** As the lower ones; a text that was cut is greater than every value, and absent where none is. */
  readonly upperBounds: Readonly<Record<number, Bound>>
}

/** Counts and bounds of the columns' values; sizes are those of the column chunks written, in the columns' order. */
export function measureColumns(
  columns: readonly (readonly ArchiveValue[])[],
  columnSizes: readonly number[],
): DataFileMetrics {
  const metrics = emptyMetrics()
  for (const [index, column] of archiveColumns.entries()) {
    metrics.columnSizes[column.id] = columnSizes[index]!
    metrics.valueCounts[column.id] = columns[index]!.length
    measureColumn(metrics, column, columns[index]!)
  }
  return metrics
}

/** The metrics of files that were joined into one. */
export function joinMetrics(parts: readonly DataFileMetrics[]): DataFileMetrics {
  const joined = emptyMetrics()
  for (const { id, bounded } of archiveColumns) {
    const sum = (counts: 'columnSizes' | 'valueCounts' | 'nullCounts') =>
      parts.reduce((total, part) => total + (part[counts][id] ?? 0), 0)
    joined.columnSizes[id] = sum('columnSizes')
    joined.valueCounts[id] = sum('valueCounts')
    joined.nullCounts[id] = sum('nullCounts')
    if (!bounded) continue
    const filled = parts.filter((part) => (part.nullCounts[id] ?? 0) < (part.valueCounts[id] ?? 0))
    join(
      joined.lowerBounds,
      id,
      filled.map((part) => part.lowerBounds[id]),
      (a, b) => compareBounds(a, b) < 0,
    )
    join(
      joined.upperBounds,
      id,
      filled.map((part) => part.upperBounds[id]),
      (a, b) => compareBounds(a, b) > 0,
    )
  }
  return joined
}

type Counts = Record<number, number>
type Bounds = Record<number, Bound>

const emptyMetrics = () => ({
  columnSizes: {} as Counts,
  valueCounts: {} as Counts,
  nullCounts: {} as Counts,
  lowerBounds: {} as Bounds,
  upperBounds: {} as Bounds,
})

function measureColumn(
  metrics: ReturnType<typeof emptyMetrics>,
  { id, bounded }: ArchiveColumn,
  values: readonly ArchiveValue[],
): void {
  let nulls = 0
  let lower: Bound | undefined
  let upper: Bound | undefined
  for (const value of values) {
    if (value === null) nulls++
    else if (bounded) {
      if (lower === undefined || compareBounds(value, lower) < 0) lower = value
      if (upper === undefined || compareBounds(value, upper) > 0) upper = value
    }
  }
  metrics.nullCounts[id] = nulls
  if (lower !== undefined) metrics.lowerBounds[id] = typeof lower === 'string' ? truncateLower(lower) : lower
  const top = typeof upper === 'string' ? truncateUpper(upper) : upper
  if (top !== undefined) metrics.upperBounds[id] = top
}

/** One part without a bound has none to prune by, nor has the whole. */
function join(into: Bounds, id: number, bounds: (Bound | undefined)[], better: (a: Bound, b: Bound) => boolean): void {
  if (bounds.length === 0 || bounds.includes(undefined)) return
  into[id] = (bounds as Bound[]).reduce((best, bound) => (better(bound, best) ? bound : best))
}

/** That of `compareSingleValues`, without encoding: a column has as many values as rows. */
export function compareBounds(a: Bound, b: Bound): number {
  return typeof a === 'number' ? a - (b as number) : compareByCodePoint(a, b as string)
}

/** JavaScript compares UTF-16 units, by which U+FFFF comes after U+10000. */
function compareByCodePoint(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return ordinal(x) - ordinal(y)
  }
  return a.length - b.length
}

/** Surrogates stand for code points above every other unit. */
const ordinal = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit)
