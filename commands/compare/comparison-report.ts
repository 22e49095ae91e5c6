import { alignColumns, cutText } from '../terminal/aligned-columns.ts'
import { formatCount, formatDuration, formatQuantity } from '../terminal/quantities.ts'
import { type Comparison, isEqual } from './compare-databases.ts'
import type { Row, RowDifference } from './row-differences.ts'
import type { TableComparison } from './table-comparison.ts'

const widestValue = 48

/** The comparison as a table, the first differing rows side by side, what is stopped or not captured, and the verdict. */
export function describeComparison(comparison: Comparison): string {
  const { tables, stopped, uncaptured } = comparison
  const parts = [
    tables.length > 0 ? describeTables(tables) : [],
    ...tables.flatMap((table) => table.examples.map((difference) => describeDifference(table, difference))),
    stopped.length > 0 ? ['stopped in the target', ...stopped.map(({ name, reason }) => `  ${name}  ${reason}`)] : [],
    uncaptured.length > 0 ? ['not captured', ...uncaptured.flatMap(describeUncaptured)] : [],
    [describeVerdict(comparison)],
  ]
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

function describeTables(tables: TableComparison[]): string[] {
  const isChanging = tables.some(({ changing }) => changing > 0)
  const rows = tables.map((table) => [
    table.table,
    formatCount(table.sourceRows),
    table.targetRows === null ? 'no table' : formatCount(table.targetRows),
    formatCount(table.differing),
    ...(isChanging ? [formatCount(table.changing)] : []),
  ])
  const header = ['table', 'source rows', 'target rows', 'differing', ...(isChanging ? ['never at rest'] : [])]
  return alignColumns([header, ...rows], [1, 2, 3, 4])
}

function describeDifference({ table, columns, keyColumns }: TableComparison, difference: RowDifference): string[] {
  const { key, source, target } = difference
  const place = keyColumns.map((column, index) => `${column} = ${cutText(key[index]!, widestValue)}`).join(', ')
  const onlyIn = target === undefined ? ', only in the source' : source === undefined ? ', only in the target' : ''
  const rows = columns
    .map((column, index) => [column, describeValue(source, index), describeValue(target, index)])
    .filter((_, index) => onlyIn !== '' || source?.[index] !== target?.[index])
  return [
    `${table}, ${place}${onlyIn}`,
    ...alignColumns([['column', 'source', 'target'], ...rows]).map((line) => `  ${line}`),
  ]
}

function describeValue(row: Row | undefined, index: number): string {
  if (row === undefined) return '-'
  const value = row[index]
  return value === null || value === undefined ? 'NULL' : cutText(JSON.stringify(value).slice(1, -1), widestValue)
}

function describeUncaptured({ name, why, fix }: Comparison['uncaptured'][number]): string[] {
  return [`  ${name}  ${why}`, ...(fix === null ? [] : fix.split('\n').map((line) => `    ${line}`))]
}

function describeVerdict(comparison: Comparison): string {
  const { tables, stopped, beacon, seconds } = comparison
  const total = (count: (table: TableComparison) => number) => tables.reduce((sum, table) => sum + count(table), 0)
  const size = `${formatQuantity(
    total(({ sourceRows }) => sourceRows),
    'row',
  )} in ${formatQuantity(tables.length, 'table')}`
  const when = `everything before beacon ${beacon}, ${formatDuration(seconds * 1_000)}`
  if (isEqual(comparison)) {
    const isFlowing = tables.some(({ sourceRows, targetRows }) => sourceRows !== targetRows)
    return `equal: ${size} (${when})${isFlowing ? '; rows that changed meanwhile were looked at again' : ''}`
  }
  const problems = [
    [total(({ differing }) => differing), 'row differs', 'rows differ'],
    [total(({ changing }) => changing), 'row was never at rest', 'rows were never at rest'],
    [tables.filter(({ targetRows }) => targetRows === null).length, 'table is missing', 'tables are missing'],
    [stopped.length, 'table is stopped', 'tables are stopped'],
  ] as const
  const told = problems
    .filter(([count]) => count > 0)
    .map(([count, one, many]) => `${formatCount(count)} ${count === 1 ? one : many}`)
  return `not equal: ${told.join(', ')}; compared ${size} (${when})`
}
