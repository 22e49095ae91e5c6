import { alignColumns } from '#terminal/aligned-columns.ts'
import { cutText } from '#terminal/display-width.ts'
import { formatCount, formatDuration, formatQuantity } from '#terminal/quantities.ts'
import type { ComparedRebuild, PublishedRebuild, RebuildFigures } from './rebuild-state.ts'
import { type ComparedState, countUnlike, isEqualState, type StateDifference } from './state-comparison.ts'
import type { UnfinishedTable } from './state-session.ts'

/**
 * A report with the tables, the first differing rows, the tables that were left out, and the verdict, in lines of
 * `width` characters.
 */
export function describeCompared(rebuilt: ComparedRebuild, width = 100): string {
  const { tables, stoppedLive, stoppedRebuilt, onlyLive, onlyRebuilt } = rebuilt
  return joinParts([
    tables.length === 0 ? [] : alignColumns([HEADER, ...tables.map(tableCells)], [1, 2, 3]),
    ...tables.flatMap((table) => table.examples.map((difference) => describeDifference(table, difference, width))),
    section(
      'not comparable',
      tables.flatMap(({ table, problem }) => (problem === undefined ? [] : [`${table}  ${problem}`])),
    ),
    section('stopped in the rebuilt state', stoppedRebuilt.map(describeUnfinished)),
    section('only in the live target', onlyLive),
    section('only in the rebuilt state', onlyRebuilt),
    section('stopped in the live target, not compared', stoppedLive.map(describeUnfinished)),
    [describeVerdict(rebuilt)],
  ])
}

/** A report of the tables in the schema, and of those that do not show what their source had. */
export function describePublished(rebuilt: PublishedRebuild): string {
  const { schema, tables, unfinished } = rebuilt
  const rows = tables.map((table) => [`${schema}.${table.name}`, formatCount(table.rows)])
  return joinParts([
    rows.length === 0 ? ['No table was captured at that time.'] : alignColumns([['table', 'rows'], ...rows], [1]),
    section('not as the source had them', unfinished.map(describeUnfinished)),
    [describeFigures(rebuilt)],
  ])
}

const HEADER = ['table', 'rebuilt rows', 'live rows', 'differing']

const tableCells = ({ table, rebuiltRows, liveRows, differing }: ComparedState): string[] => [
  table,
  ...[rebuiltRows, liveRows, differing].map(formatCount),
]

const joinParts = (parts: readonly (readonly string[])[]): string =>
  parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)]

const describeUnfinished = ({ name, reason }: UnfinishedTable): string => `${name}  ${reason}`

/** The columns that differ, or all columns of a row that is on one side only. */
function describeDifference(table: ComparedState, { key, rebuilt, live }: StateDifference, width: number): string[] {
  const valueWidth = Math.max(12, Math.floor((width - 34) / 2))
  const rows = table.columns.flatMap((name, place) => {
    const values = [rebuilt, live].map((row) => (row === undefined ? '-' : (row[place] ?? 'NULL')))
    const isEqual = rebuilt !== undefined && live !== undefined && rebuilt[place] === live[place]
    return isEqual ? [] : [[cutText(name, 30), ...values.map((value) => cutText(oneLine(value), valueWidth))]]
  })
  const place = table.keyColumns.map((name, i) => `${name} = ${cutText(oneLine(key[i]!), 48)}`).join(', ')
  // If the table has no key, both sides may have the row in different numbers.
  const often = rows.length === 0 ? ['  a row that one state has more often than the other'] : []
  const columns =
    rows.length === 0 ? [] : alignColumns([['column', 'rebuilt', 'live'], ...rows]).map((line) => `  ${line}`)
  return [place === '' ? table.table : `${table.table}, ${place}`, ...often, ...columns]
}

const oneLine = (text: string): string => JSON.stringify(text.slice(0, 400)).slice(1, -1)

function describeVerdict(rebuilt: ComparedRebuild): string {
  const { tables, stoppedLive } = rebuilt
  const rows = tables.reduce((sum, { liveRows }) => sum + liveRows, 0)
  const size = `${formatQuantity(rows, 'row')} in ${formatQuantity(tables.length, 'table')}`
  if (isEqualState(rebuilt)) return `equal: ${size}; ${describeFigures(rebuilt)}`
  const differing = tables.reduce((sum, table) => sum + table.differing, 0)
  const problems = [
    [differing, 'row differs', 'rows differ'],
    [countUnlike(rebuilt), 'table is not comparable', 'tables are not comparable'],
    [stoppedLive.length, 'table is stopped', 'tables are stopped'],
  ] as const
  const described = problems.flatMap(([count, one, many]) =>
    count === 0 ? [] : [`${formatCount(count)} ${count === 1 ? one : many}`],
  )
  return `not equal: ${described.join(', ')}; compared ${size}; ${describeFigures(rebuilt)}`
}

function describeFigures({ files, records, replayed, readSeconds, replaySeconds, seconds }: RebuildFigures): string {
  const ms = (value: number) => formatDuration(value * 1_000)
  return `${formatQuantity(records, 'record')} of ${formatQuantity(files, 'data file')} read in ${ms(readSeconds)}, ${formatCount(replayed)} replayed in ${ms(replaySeconds)}, ${ms(seconds)} in all`
}
