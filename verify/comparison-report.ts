import { alignColumns } from '#terminal/aligned-columns.ts'
import { formatCount, formatDuration, formatQuantity } from '#terminal/quantities.ts'
import { type Comparison, isEqual } from './compare-databases.ts'
import { describeDifference } from './row-report.ts'
import type { TableComparison } from './table-comparison.ts'

/**
 * A report with the tables, the first differing rows side by side in lines of `width` characters, the tables that are
 * stopped or not captured with the commands that change it, and the verdict.
 */
export function describeComparison(comparison: Comparison, width = 100): string {
  const { tables, stopped, uncaptured, onlyInTarget } = comparison
  const parts = [
    tables.length > 0 ? describeTables(tables) : [],
    ...tables.flatMap((table) => table.examples.map((difference) => describeDifference(table, difference, width))),
    section(
      'not comparable',
      tables.flatMap(({ table, problem }) => (problem ? [`  ${table}  ${problem}`] : [])),
    ),
    section('stopped in the target', stopped.flatMap(describeStop)),
    section(
      'only in the target',
      onlyInTarget.map((name) => `  ${name}`),
    ),
    section('missing in the target', describeMissing(comparison)),
    section('not captured', uncaptured.flatMap(describeUncaptured)),
    [describeVerdict(comparison)],
  ]
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

const section = (title: string, lines: string[]): string[] => (lines.length === 0 ? [] : [title, ...lines])

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

function describeStop({ name, reason }: Comparison['stopped'][number]): string[] {
  const argument = /^[\w.]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`
  const commands = alignColumns([
    [`npm run accept -- ${argument}`, 'applies its quarantined records'],
    [`npm run resync -- ${argument}`, 'reads its rows again'],
  ])
  return [`  ${name}  ${reason}`, ...commands.map((line) => `    ${line}`)]
}

/** These tables are missing for no other reason than that somebody dropped them in the target. */
function describeMissing({ tables, stopped, uncaptured }: Comparison): string[] {
  const reported = new Set([...stopped, ...uncaptured].map(({ name }) => name))
  return tables
    .filter(({ table, targetRows }) => targetRows === null && !reported.has(table))
    .map(({ table }) => `  ${table}  npm run recover brings it back where somebody dropped its rows or its view`)
}

function describeUncaptured({ name, why, fix }: Comparison['uncaptured'][number]): string[] {
  return [`  ${name}  ${why}`, ...(fix === null ? [] : fix.split('\n').map((line) => `    ${line}`))]
}

function describeVerdict(comparison: Comparison): string {
  const { tables, beacon, seconds } = comparison
  const rows = formatQuantity(
    sum(tables, ({ sourceRows }) => sourceRows),
    'row',
  )
  const size = `${rows} in ${formatQuantity(tables.length, 'table')}`
  const when = `everything before beacon ${beacon}, ${formatDuration(seconds * 1_000)}`
  if (isEqual(comparison)) {
    const isFlowing = tables.some(({ sourceRows, targetRows }) => sourceRows !== targetRows)
    return `equal: ${size} (${when})${isFlowing ? '; rows that changed meanwhile were looked at again' : ''}`
  }
  return `not equal: ${describeProblems(comparison).join(', ')}; compared ${size} (${when})`
}

function describeProblems({ tables, stopped, onlyInTarget }: Comparison): string[] {
  const problems = [
    [sum(tables, ({ differing }) => differing), 'row differs', 'rows differ'],
    [sum(tables, ({ changing }) => changing), 'row was never at rest', 'rows were never at rest'],
    [tables.filter(({ targetRows }) => targetRows === null).length, 'table is missing', 'tables are missing'],
    [tables.filter(({ problem }) => problem).length, 'table is not comparable', 'tables are not comparable'],
    [stopped.length, 'table is stopped', 'tables are stopped'],
    [onlyInTarget.length, 'table is only in the target', 'tables are only in the target'],
  ] as const
  return problems
    .filter(([count]) => count > 0)
    .map(([count, one, many]) => `${formatCount(count)} ${count === 1 ? one : many}`)
}

function sum(tables: TableComparison[], count: (table: TableComparison) => number): number {
  return tables.reduce((total, table) => total + count(table), 0)
}
