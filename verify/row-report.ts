import { alignColumns } from '#terminal/aligned-columns.ts'
import { cutText } from '#terminal/display-width.ts'
import { formatCount, formatQuantity } from '#terminal/quantities.ts'
import type { Row } from './row-differences.ts'
import type { RowDifference, TableComparison } from './table-comparison.ts'

const mostColumns = 20
const widestName = 30
/** The number of equal characters that are shown before the first different one. */
const lead = 8

/**
 * A differing row with source and target side by side, one line for each column. Columns that differ are marked, and
 * come first if the table has many columns. Long values are cut to the part around their first difference that fits in
 * a line of `width` characters.
 */
export function describeDifference(table: TableComparison, difference: RowDifference, width: number): string[] {
  const { source, target } = difference
  const places = table.columns.map((_, index) => index)
  const isUnequal = (place: number) => source === undefined || target === undefined || source[place] !== target[place]
  const isLong = places.length > mostColumns
  const shown = isLong ? places.toSorted((a, b) => Number(isUnequal(b)) - Number(isUnequal(a))) : places
  const nameWidth = Math.min(widestName, Math.max(6, ...table.columns.map((name) => name.length)))
  const valueWidth = Math.max(12, Math.floor((width - nameWidth - 8) / 2))
  const rows = shown.slice(0, mostColumns).map((place) => {
    const values = cutValues(writeValue(source, place), writeValue(target, place), valueWidth)
    return [isUnequal(place) ? '≠' : ' ', cutText(table.columns[place]!, widestName), ...values]
  })
  const left = places.length - rows.length
  return [
    `${table.table}, ${describePlace(table, difference)}`,
    ...alignColumns([[' ', 'column', 'source', 'target'], ...rows]).map((line) => `  ${line}`),
    ...(left > 0 ? [`     … and ${formatQuantity(left, 'more column')}, ${describeRest(shown, isUnequal)}`] : []),
  ]
}

function describeRest(shown: number[], isUnequal: (place: number) => boolean): string {
  const unequal = shown.slice(mostColumns).filter(isUnequal).length
  return unequal === 0 ? 'all equal' : `${formatCount(unequal)} of them not equal`
}

function describePlace({ keyColumns }: TableComparison, { key, source, target, times }: RowDifference): string {
  if (times !== undefined)
    return `a row that the source has ${often(times.source)} and the target ${often(times.target)}`
  const place = keyColumns.map((column, index) => `${column} = ${cutText(oneLine(key[index]!.slice(0, 200)), 48)}`)
  const onlyIn = target === undefined ? ', only in the source' : source === undefined ? ', only in the target' : ''
  return `${place.join(', ')}${onlyIn}`
}

const often = (count: number) => (count === 1 ? 'once' : count === 0 ? 'not at all' : `${formatCount(count)} times`)

function writeValue(row: Row | undefined, place: number): string {
  if (row === undefined) return '-'
  const value = row[place]
  return value === null || value === undefined ? 'NULL' : oneLine(value)
}

const oneLine = (text: string) => JSON.stringify(text).slice(1, -1)

/** Both values, cut to the same part, so that the difference is visible. */
function cutValues(a: string, b: string, width: number): [string, string] {
  if (a.length <= width && b.length <= width) return [a, b]
  let same = 0
  while (same < Math.min(a.length, b.length) && a[same] === b[same]) same += 1
  const isInSight = same < width - lead || a === b
  const start = isInSight ? 0 : same - lead
  // The text is cut before it is split into characters, because a value may have millions of them.
  const cut = (text: string) => cutText((start > 0 ? '…' : '') + text.slice(start, start + width * 4), width)
  return [cut(a), cut(b)]
}
