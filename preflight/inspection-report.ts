import { alignColumns } from '#terminal/aligned-columns.ts'
import { formatBytes, formatQuantity } from '#terminal/quantities.ts'
import type { Finding } from './finding.ts'
import type { Inspection } from './source-inspection.ts'

/** The findings as text, each on a line, with the SQL that changes it below. */
export function describeInspection({ ready, database, version, findings, tables }: Inspection): string {
  const capturable = tables.filter(({ refusals }) => refusals.length === 0)
  const bytes = capturable.reduce((sum, table) => sum + table.bytes, 0)
  const lines = [
    ...findings.flatMap(findingLines),
    ...tables.flatMap(({ name, rows, bytes: size, refusals }) =>
      refusals.length === 0
        ? [['ok', name, `about ${formatQuantity(rows, 'row')}, ${formatBytes(size)}`]]
        : refusals.flatMap(({ reason, fix }, index) => [
            [index === 0 ? 'left out' : '', index === 0 ? name : '', reason],
            ['', '', `  ${fix}`],
          ]),
    ),
  ]
  const problems = findings.filter(({ level }) => level === 'problem').length
  const tablesInWords = `${capturable.length} of ${formatQuantity(tables.length, 'table')} can be captured, ${formatBytes(bytes)} to read`
  return [
    `${database}, PostgreSQL ${version}`,
    '',
    ...alignColumns(lines),
    '',
    ready
      ? `ready: ${tablesInWords}`
      : `not ready: ${formatQuantity(problems, 'problem')} to solve first; ${tablesInWords}`,
  ].join('\n')
}

function findingLines({ level, subject, state, fix }: Finding): string[][] {
  const line = [level, subject, state]
  return fix === null ? [line] : [line, ...fix.split('\n').map((part) => ['', '', `  ${part}`])]
}
