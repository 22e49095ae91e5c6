import { readWindows } from '#adapters/postgres/status/windows-observation.ts'
import type { WindowsOfDefinition } from '#core/status/observations.ts'
import { alignColumns } from '#terminal/aligned-columns.ts'
import { visibleText } from '#terminal/display-width.ts'
import { formatCount } from '#terminal/quantities.ts'
import type { WindowsArguments } from './windows-arguments.ts'
import { requireWords, withTarget } from './windows-databases.ts'

/** Lists the definitions of the target. */
export async function listDefinitions({ words, json, ...given }: WindowsArguments): Promise<number> {
  requireWords(words, 0, 'list takes no names')
  const definitions = await withTarget(given, readWindows)
  if (json) console.log(JSON.stringify(definitions, null, 2))
  else for (const line of describeDefinitions(definitions)) console.log(line)
  return 0
}

/** A table of the definitions, and the reasons of those that are not shown. */
export function describeDefinitions(definitions: readonly WindowsOfDefinition[]): string[] {
  if (definitions.length === 0)
    return ['There are no definitions: write one into windows/, and npm run windows -- apply.']
  const header = ['name', 'state', 'open', 'final', 'revised', 'closed', 'late', 'ahead', 'no time', 'watermark']
  const rows = definitions.map((each) => [
    each.name,
    each.percent === null ? each.state : `${each.state} ${each.percent} %`,
    ...[each.open, each.final, each.revised, each.closed, each.late, each.future, each.nullTimes].map((count) =>
      count === null ? '-' : formatCount(count),
    ),
    each.watermark ?? '-',
  ])
  const reasons = definitions.flatMap(({ name, reason, publishing }) => [
    ...(reason === null ? [] : ['', `${name}: ${visibleText(reason)}`]),
    ...(publishing === null ? [] : ['', `${name} is not published: ${visibleText(publishing)}`]),
  ])
  return [...alignColumns([header, ...rows], [2, 3, 4, 5, 6, 7, 8]), ...reasons]
}
