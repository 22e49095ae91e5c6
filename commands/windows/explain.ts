import { alignColumns } from '#terminal/aligned-columns.ts'
import { cutText, visibleText } from '#terminal/display-width.ts'
import { formatCount, formatQuantity } from '#terminal/quantities.ts'
import { UsageError } from '#terminal/usage-error.ts'
import { explainWindow, type WindowExplanation } from '#verify/windows/explain-window.ts'
import type { WindowsArguments } from './windows-arguments.ts'
import { withTarget } from './windows-databases.ts'

/** Shows which rows are in a window and why. */
export async function explain({ words, limit, json, ...given }: WindowsArguments): Promise<number> {
  const [name, ...rest] = words
  if (name === undefined) throw new UsageError('Which definition? npm run windows -- list shows them')
  const question = { name, limit, ...readPlace(rest) }
  const explanation = await withTarget(given, (client) => explainWindow(client, question))
  if (json) console.log(JSON.stringify(explanation, null, 2))
  else for (const line of describeExplanation(explanation, process.stdout.columns ?? 200)) console.log(line)
  return 0
}

/** A window, then `key=value`. A time with a zone may have an equals sign nowhere, so the first one decides. */
function readPlace(words: readonly string[]): { window: string | undefined; keys: Record<string, string> } {
  const [windows, pairs] = [words.filter((word) => !word.includes('=')), words.filter((word) => word.includes('='))]
  if (windows.length > 1) throw new UsageError(`One word says which window. Left over: ${windows.slice(1).join(' ')}`)
  const keys = Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )
  return { window: windows[0], keys }
}

/** The window, its groups and its rows as lines of at most `width` columns. */
export function describeExplanation(explanation: WindowExplanation, width: number): string[] {
  const { name, windowStart, windowEnd, watermark, groups, rows, rowCount } = explanation
  const groupLines = groups.flatMap((group) => [
    `${describeValues(group.keys) || 'all rows'}: ${group.state}, ${formatQuantity(group.rows, 'row')}, ${formatCount(group.lateRows)} late; ${group.why}`,
    `  ${describeValues(group.results)}`,
  ])
  const columns = Object.keys(rows[0]?.values ?? {})
  const table = rows.map((row) => [
    row.eventTime,
    row.why,
    ...columns.map((column) => visibleText(row.values[column] ?? 'null')),
  ])
  const left = rowCount - rows.length
  return [
    `${name}: ${windowStart} to ${windowEnd}, ${watermark === null ? 'no watermark yet' : `watermark ${watermark}`}`,
    '',
    ...(groups.length === 0 ? ['no group'] : groupLines),
    '',
    ...(rows.length === 0 ? ['no row'] : alignColumns([['event time', 'why', ...columns], ...table])),
    ...(left > 0 ? [`and ${formatQuantity(left, 'more row')}: --limit ${rowCount}`] : []),
  ].map((line) => cutText(line, width))
}

const describeValues = (values: Readonly<Record<string, string | null>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${visibleText(name)} = ${visibleText(value ?? 'null')}`)
    .join(', ')
