import {
  compareSingleValues,
  decodeSingleValue,
  encodeSingleValue,
  truncateLower,
  truncateUpper,
} from '../table/single-value.ts'
import { type ArchiveColumn, type ArchiveValue, archiveColumns, type ColumnType } from './archive-table.ts'

/**
 * What a manifest says about the columns of a data file, by field id. The ledger keeps it as JSON, whatever the columns
 * contain: bounds are single values (`encodeSingleValue`) in base64, because `jsonb` cannot hold NUL or integers of 64
 * bits.
 */
export type DataFileMetrics = {
  readonly columnSizes: Readonly<Record<number, number>>
  readonly valueCounts: Readonly<Record<number, number>>
  readonly nullCounts: Readonly<Record<number, number>>
  /**
   * Bounds of the columns that are bounded and not all null. A text is whole, or cut to a prefix, which is never
   * greater.
   */
  readonly lowerBounds: Readonly<Record<number, string>>
  /**
   * As `lowerBounds`; a text that was cut is made greater than every value, and there is no bound if that is
   * impossible.
   */
  readonly upperBounds: Readonly<Record<number, string>>
}

/** A bound before it is encoded. */
type Bound = Exclude<ArchiveValue, null>

/** A bound in the form that the ledger keeps. Throws a RangeError if the column cannot have the value. */
export const encodeBound = (type: ColumnType, bound: Bound): string =>
  Buffer.from(encodeSingleValue(type, bound)).toString('base64')

/** A bound in the form that a manifest has. */
export const boundBytes = (bound: string): Uint8Array => Buffer.from(bound, 'base64')

/**
 * Counts and bounds of the values of each column. The sizes are those of the column chunks that were written, in the
 * order of the columns.
 */
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

/** Texts are compared as UTF-8 bytes without being decoded; the order is the same. */
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

/** If one part has no bound, the whole has none either, because the values of that part are not known. */
function join(
  into: Bounds,
  id: number,
  bounds: (string | undefined)[],
  better: (a: string, b: string) => boolean,
): void {
  if (bounds.length === 0 || bounds.includes(undefined)) return
  into[id] = (bounds as string[]).reduce((best, bound) => (better(bound, best) ? bound : best))
}

/** The order of `compareSingleValues`, without encoding the values, because a column has as many values as rows. */
function compareBounds(a: Bound, b: Bound): number {
  if (typeof a === 'string' || typeof b === 'string') return compareByCodePoint(a as string, b as string)
  return a < b ? -1 : a > b ? 1 : 0
}

/** JavaScript compares UTF-16 code units, in which U+FFFF comes after U+10000. Readers compare code points. */
function compareByCodePoint(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return ordinal(x) - ordinal(y)
  }
  return a.length - b.length
}

/** Surrogates are parts of code points above U+FFFF, so they come after every other code unit. */
const ordinal = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit)
