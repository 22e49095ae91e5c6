import { isWell } from '#core/status/components.ts'
import type { Status } from '#core/status/status.ts'
import { nameOf } from '#core/status/stopped-parts.ts'
import { cutText, shortenName, visibleText, wrapText } from '#terminal/display-width.ts'
import { rowsOf, type ScreenLine } from '#terminal/live-screen.ts'
import { formatCount, formatQuantity } from '#terminal/quantities.ts'
import type { Style } from '#terminal/style.ts'

/** A problem and the commands for it. */
export type Problem = { name: string; text: string; commands: string[] }

/** The problems, the worst first. */
export function problemsOf(status: Status): Problem[] {
  const { components, capture, stopped, archiveProblems, notCaptured, quarantined, uncaptured, emptyViews, missing } =
    status
  const stoppedWindows = status.windows.filter(({ state }) => state === 'stopped')
  const { indexProblems } = status
  const isDown = capture.state === 'down'
  return [
    ...(isDown ? [captureProblem(capture)] : []),
    ...archiveProblems.map(({ kind, reason, command, since }) => ({
      name: 'archive',
      text: sentence(`${kind === 'data files' ? 'incomplete' : 'stopped'} since ${minuteOf(since)}`, reason),
      commands: [command],
    })),
    ...components
      // If capture is down, that problem includes the state of the connector.
      .filter((component) => !isWell(component) && !(isDown && component.name === CONNECTOR))
      .map(({ name, state, lastError, failingSince }) => ({
        name,
        text: sentence(failingSince === undefined ? state : `${state} since ${minuteOf(failingSince)}`, lastError),
        commands: [],
      })),
    // What is stopped by a problem of the archive is shown only once, as that problem.
    ...stopped
      .filter(({ reason }) => !archiveProblems.some((problem) => reason.startsWith(problem.reason)))
      .map((part) => ({
        name: nameOf(part),
        text: sentence(`stopped since ${minuteOf(part.since)}${describeExtent(part)}`, part.reason),
        commands: part.command === null ? [] : [part.command],
      })),
    ...notCaptured.map(({ name, reason, fix }) => ({
      name,
      text: sentence('not captured any more', reason),
      commands: fix === null ? [] : fix.split('\n'),
    })),
    ...missing.map(({ name, part }) => ({
      name,
      text: `somebody dropped its ${part} in the target, so that nobody can read it`,
      commands: ['npm run recover'],
    })),
    ...stoppedWindows.map(({ name, reason, since }) => ({
      name: `windows ${name}`,
      text: sentence(`stopped since ${minuteOf(since)}`, reason ?? undefined),
      commands: [`npm run windows -- rebuild ${name}`],
    })),
    ...status.windows
      .flatMap(({ name, publishing }) => (publishing === null ? [] : [{ name, publishing }]))
      .map(({ name, publishing }) => ({
        name: `windows ${name}`,
        text: sentence('not published', publishing),
        commands: [],
      })),
    ...quarantined.map(({ topic, table, records, newestReason, command }) => ({
      name: table === null ? topic : `${table} of ${topic}`,
      text: sentence(`${formatQuantity(records, 'record')} in quarantine`, newestReason),
      commands: [command],
    })),
    ...uncaptured.map(({ name, why, fix }) => ({
      name,
      text: sentence('not captured', why),
      commands: fix === null ? [] : fix.split('\n'),
    })),
    ...emptyViews.map(({ name, dependents, droppedBy }) => ({
      name,
      text: `dropped in the source; its view stays without rows because of ${dependents}`,
      commands: droppedBy.split('\n'),
    })),
    ...indexProblems.map(({ table, name, reason, command }) => ({
      name: table,
      text: sentence(`index ${name} is not made`, reason),
      commands: [command],
    })),
  ]
}

const minuteOf = (iso: string): string => iso.slice(0, 16).replace('T', ' ')

const CONNECTOR = 'connector'

function captureProblem({ cause, follows, command, since }: Status['capture']): Problem {
  const when = since === null ? '' : ` since ${minuteOf(since)}`
  return {
    name: 'capture',
    text: `${sentence(`down${when}`, cause ?? undefined)}${follows === null ? '' : `. ${follows}`}`,
    commands: command === null ? [] : [command],
  }
}

/** The numbers of problems in a few words; undefined when all is well. */
export function summarizeProblems({
  components,
  capture,
  stopped,
  archiveProblems,
  notCaptured,
  quarantined,
  uncaptured,
  missing,
  windows,
}: Status): string | undefined {
  const unwell = components.filter((component) => !isWell(component)).length
  const definitions = windows.filter(({ state }) => state === 'stopped').length
  const unpublished = windows.filter(({ publishing }) => publishing !== null).length
  const records = quarantined.reduce((sum, group) => sum + group.records, 0)
  const parts = [
    ...(capture.state === 'down' ? ['capture is down'] : []),
    ...(unwell > 0 ? [`${unwell} not well`] : []),
    ...(archiveProblems.length > 0 ? ['archive has a problem'] : []),
    ...(stopped.length > 0 ? [`${stopped.length} stopped`] : []),
    ...(notCaptured.length > 0 ? [`${formatQuantity(notCaptured.length, 'table')} not captured any more`] : []),
    ...(missing.length > 0 ? [`${formatQuantity(missing.length, 'table')} missing in the target`] : []),
    ...(definitions > 0 ? [`${formatQuantity(definitions, 'definition')} of windows stopped`] : []),
    ...(unpublished > 0 ? [`${formatQuantity(unpublished, 'definition')} of windows not published`] : []),
    ...(records > 0 ? [`${formatQuantity(records, 'record')} in quarantine`] : []),
    ...(uncaptured.length > 0 ? [`${formatQuantity(uncaptured.length, 'table')} not captured`] : []),
  ]
  return parts.length === 0 ? undefined : parts.join(', ')
}

/**
 * The problems in as much detail as fits into `most` rows. If not all fit, as many as do, and the number of the others.
 * `isWhole` says that nothing is left out.
 */
export function renderProblems(
  problems: Problem[],
  most: number,
  width: number,
  style: Style,
): { lines: ScreenLine[]; isWhole: boolean } {
  for (const textRows of [Infinity, 2, 1]) {
    const { lines, count } = renderUpTo(most, problems, textRows, width, style)
    if (count === problems.length) return { lines, isWhole: textRows === Infinity }
  }
  const { lines, count } = renderUpTo(most - 1, problems, 1, width, style)
  return {
    lines: [...lines, style.bad(`and ${formatCount(problems.length - count)} more: npm run status`)],
    isWhole: false,
  }
}

function renderUpTo(most: number, problems: Problem[], textRows: number, width: number, style: Style) {
  const lines: ScreenLine[] = []
  let left = most
  for (const [count, problem] of problems.entries()) {
    const more = left > 0 ? renderProblem(problem, textRows, width, style) : []
    left -= Math.max(1, countRows(more, width))
    if (left < 0) return { lines, count }
    lines.push(...more)
  }
  return { lines, count: problems.length }
}

function renderProblem({ name, text, commands }: Problem, textRows: number, width: number, style: Style): ScreenLine[] {
  const title = `● ${shortenName(visibleText(name), Math.floor(width * 0.6))}`
  // The text is limited before it is wrapped, because an error may be megabytes long.
  const wrapped = wrapText(`${title}  ${visibleText(text.slice(0, 4_000))}`, width - 2)
  const lines = wrapped.slice(0, textRows)
  if (lines.length < wrapped.length) lines.push(cutText(`${lines.pop()} ${wrapped[lines.length + 1]}`, width - 2))
  return [
    ...lines.map((line, row) => (row === 0 ? accent(line, title, style) : `  ${line}`)),
    ...commands.map((command) => ({ whole: `    ${visibleText(command)}` })),
  ]
}

/** Only the title is emphasized, or the part of it on this line. */
function accent(line: string, title: string, style: Style): string {
  return line.startsWith(title) ? style.bad(title) + line.slice(title.length) : style.bad(line)
}

/** The number of rows that the lines take. */
export const countRows = (lines: readonly ScreenLine[], width: number): number =>
  lines.reduce((sum, line) => sum + rowsOf(line, width), 0)

const sentence = (what: string, why: string | undefined): string =>
  why === undefined ? what : `${what}: ${why.split('\n')[0]}`

function describeExtent(part: Status['stopped'][number]): string {
  if (part.kind === 'topic partition') return ` for ${part.consumer}, tried ${formatCount(part.deliveries)} times`
  return part.keptRecords === 0 ? '' : `, ${formatQuantity(part.keptRecords, 'record')} quarantined`
}
