import {
  compareSingleValues,
  decodeSingleValue,
  encodeSingleValue,
  truncateLower,
  truncateUpper,
} from '../table/single-value.ts'
import { type ArchiveColumn, type ArchiveValue, archiveColumns, type ColumnType } from './archive-table.ts'

/**
 * What a manifest tells of a data file's columns, by field id. JSON that the ledger can keep, whatever the columns hold:
 * bounds are single values (`encodeSingleValue`) in base64, since `jsonb` takes neither NUL nor 64 bits.
 */
export type DataFileMetrics = {
  readonly columnSizes: Readonly<Record<number, number>>
  readonly valueCounts: Readonly<Record<number, number>>
  readonly nullCounts: Readonly<Record<number, number>>
  /** Of columns that are bounded and not all null. Texts are whole, or a prefix that is no greater. */
  readonly lowerBounds: Readonly<Record<number, string>>
  /** As the lower ones; a text that was cut is greater than every value, and absent where none is. */
  readonly upperBounds: Readonly<Record<number, string>>
}

/** A bound before it is encoded. */
type Bound = Exclude<ArchiveValue, null>

/** A bound as the ledger keeps it. Throws a RangeError where the column cannot have the value. */
export const encodeBound = (type: ColumnType, bound: Bound): string =>
  Buffer.from(encodeSingleValue(type, bound)).toString('base64')

/** The bytes that a manifest has of it. */
export const boundBytes = (bound: string): Uint8Array => Buffer.from(bound, 'base64')

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
  for (const { id, type, bounded } of archiveColumns) {
    const sum = (counts: 'columnSizes' | 'valueCounts' | 'nullCounts') =>
      parts.reduce((total, part) => total + (part[counts][id] ?? 0), 0)
    joined.columnSizes[id] = sum('columnSizes')
    joined.valueCounts[id] = sum('valueCounts')
    joined.nullCounts[id] = sum('nullCounts')
    if (!bounded) continue
    const filled = parts.filter((part) => (part.nullCounts[id] ?? 0) < (part.valueCounts[id] ?? 0))
    const order = (a: string, b: string) => compareSingleValues(decoded(type, a), decoded(type, b))
    join(
      joined.lowerBounds,
      id,
      filled.map((part) => part.lowerBounds[id]),
      (a, b) => order(a, b) < 0,
    )
    join(
      joined.upperBounds,
      id,
      filled.map((part) => part.upperBounds[id]),
      (a, b) => order(a, b) > 0,
    )
  }
  return joined
}

type Counts = Record<number, number>
type Bounds = Record<number, string>

/** UTF-8 is ordered by its bytes, which are compared without being decoded. */
const decoded = (type: ColumnType, bound: string) =>
  decodeSingleValue(type === 'string' ? 'binary' : type, boundBytes(bound))

const emptyMetrics = () => ({
  columnSizes: {} as Counts,
  valueCounts: {} as Counts,
  nullCounts: {} as Counts,
  lowerBounds: {} as Bounds,
  upperBounds: {} as Bounds,
})

function measureColumn(
  metrics: ReturnType<typeof emptyMetrics>,
  { id, type, bounded }: ArchiveColumn,
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
  const bottom = typeof lower === 'string' ? truncateLower(lower) : lower
  if (bottom !== undefined) metrics.lowerBounds[id] = encodeBound(type, bottom)
  const top = typeof upper === 'string' ? truncateUpper(upper) : upper
  if (top !== undefined) metrics.upperBounds[id] = encodeBound(type, top)
}

/** One part without a bound has none to prune by, nor has the whole. */
function join(
  into: Bounds,
  id: number,
  bounds: (string | undefined)[],
  better: (a: string, b: string) => boolean,
): void {
  if (bounds.length === 0 || bounds.includes(undefined)) return
  into[id] = (bounds as string[]).reduce((best, bound) => (better(bound, best) ? bound : best))
}

/** That of `compareSingleValues`, without encoding: a column has as many values as rows. */
function compareBounds(a: Bound, b: Bound): number {
  if (typeof a === 'string' || typeof b === 'string') return compareByCodePoint(a as string, b as string)
  return a < b ? -1 : a > b ? 1 : 0
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
