import { type Component, isWell } from '#core/status/components.ts'
import type { Status, TableStatus } from '#core/status/status.ts'
import { alignColumns } from '#terminal/aligned-columns.ts'
import { displayWidth, shortenName, visibleText } from '#terminal/display-width.ts'
import { formatBytes, formatCount, formatDuration, formatQuantity, formatSeconds } from '#terminal/quantities.ts'
import type { Style } from '#terminal/style.ts'

const kinds = { server: 'servers', mapping: 'mappings', function: 'functions' } as const

/** The components that work, by name, side by side. */
export function renderComponents(components: Component[], width: number, style: Style): string[] {
  const rows = Object.entries(kinds).flatMap(([kind, label]) => {
    const cells = components.filter((each) => each.kind === kind && isWell(each)).map((each) => renderWell(each, style))
    return flow(cells, width - 11).map((line, index) => [index === 0 ? style.label(label) : '', line])
  })
  return alignColumns(rows)
}

/** The components that work in one line: their number, and those with restarts or errors. */
export function summarizeComponents(components: Component[], style: Style): string[] {
  const well = components.filter(isWell)
  const counts = Object.entries(kinds).map(
    ([kind, label]) => `${style.good('●')} ${well.filter((each) => each.kind === kind).length} ${label}`,
  )
  const noted = well.filter(({ restarts, errors }) => restarts + errors > 0)
  return [[...counts, ...noted.map((each) => renderWell(each, style))].join('   ')]
}

function renderWell({ name, state, restarts, errors }: Component, style: Style): string {
  const notes = [
    ...(state === 'idle' ? ['idle'] : []),
    ...(restarts > 0 ? [`restarted ${restarts}×`] : []),
    ...(errors > 0 ? [formatQuantity(errors, 'error')] : []),
  ]
  return `${style.good('●')} ${name}${notes.length > 0 ? style.label(` (${notes.join(', ')})`) : ''}`
}

/** Puts as many cells side by side as fit into the width. */
function flow(cells: string[], width: number): string[] {
  const lines: string[] = []
  for (const cell of cells) {
    const line = lines.at(-1)
    if (line === undefined || displayWidth(line) + 3 + displayWidth(cell) > width) lines.push(cell)
    else lines[lines.length - 1] = `${line}   ${cell}`
  }
  return lines
}

/** How much of the flow is shown. */
export type Detail = 'all' | 'short' | 'least'

/** The figures that change, one in each row, the most important first. */
export function renderFlow(status: Status, feed: string | undefined, detail: Detail, style: Style): string[] {
  const rows: [string, string][] = [
    ['lag', renderLag(status)],
    ...(detail === 'all' ? renderLatency(status) : [['visible', renderVisible(status)] as [string, string]]),
    ...renderRates(status, detail),
    ...(status.archive === null || detail === 'least'
      ? []
      : [['archive', renderArchive(status.archive, status.archiveLagRecords ?? 0)] as [string, string]]),
  ]
  rows.push(...renderWindows(status, detail))
  if (status.initialLoad !== null) {
    const { rows: loaded, expectedRows, percent } = status.initialLoad
    rows.push(['initial load', `${formatCount(loaded)} of ${formatCount(expectedRows)} rows (${percent} %)`])
  }
  if (feed !== undefined && detail !== 'least') rows.push(['feed', visibleText(feed)])
  if (status.lastError !== null && detail === 'all') rows.push(['last error', visibleText(firstLine(status.lastError))])
  return alignColumns(rows.map(([label, value]) => [style.label(label), value]))
}

function renderLag({ capture, lagRecords, lags, lagMs }: Status): string {
  if (capture.state === 'down') return 'unknown: nothing is captured'
  if (lagRecords === null) return 'unknown'
  const lagging = lags.filter(({ work, records }) => work === 'apply' && records > 0)
  const topics = lagging.map(({ topic, records }) => `${formatCount(records)} of ${topic}`)
  const parts = lagging.some(({ topic }) => topic !== 'changes') ? ` (${topics.join(', ')})` : ''
  return `${formatQuantity(lagRecords, 'record')}${parts}, ${formatDuration(lagMs ?? 0)}`
}

function renderLatency(status: Status): [string, string][] {
  const latency = status.commitToVisibleMs
  return [
    [
      'commit to visible',
      latency === null ? '-' : `p50 ${latency.p50} ms   p95 ${latency.p95} ms   p99 ${latency.p99} ms`,
    ],
    ['visible', renderVisible(status)],
  ]
}

const renderVisible = ({ visibleUntilMsAgo }: Status): string =>
  visibleUntilMsAgo === null
    ? 'initial snapshot'
    : `all that was committed until ${formatDuration(visibleUntilMsAgo)} ago`

function renderRates(status: Status, detail: Detail): [string, string][] {
  const { capturedPerSecond, appliedPerSecond, retainedWalBytes } = status
  if (detail === 'least') return []
  if (detail === 'short')
    return [['rate', `captured ${formatCount(capturedPerSecond)}, applied ${formatCount(appliedPerSecond)} changes/s`]]
  return [
    ['captured', `${formatCount(capturedPerSecond)} changes/s`],
    ['applied', `${formatCount(appliedPerSecond)} changes/s`],
    ['log kept', retainedWalBytes === null ? 'no replication slot' : formatBytes(retainedWalBytes)],
  ]
}

/** Records that have waited for less than this are on their way. */
const LONG_WAIT_MS = 60_000

/** `lagRecords` are records that are not in data files yet. */
function renderArchive(
  { rows, files, bytes, tableSnapshots, ...state }: NonNullable<Status['archive']>,
  lagRecords: number,
): string {
  const waitingMs = state.oldestWaitingMs ?? 0
  const since = waitingMs < LONG_WAIT_MS ? '' : ` for ${formatDuration(waitingMs)}`
  const waiting = `${formatQuantity(state.waitingRecords + lagRecords, 'record')} waiting${since}`
  if (state.committedMsAgo === null) return `nothing committed yet, ${waiting}`
  const age = `committed ${formatDuration(state.committedMsAgo)} ago, ${waiting}`
  const size = `${formatQuantity(rows, 'row')} in ${formatQuantity(files, 'file')} of ${formatBytes(bytes)}`
  return `${age}; ${size}, ${formatQuantity(tableSnapshots, 'table snapshot')}`
}

/** The most definitions that are shown, by how much of the flow is. */
const mostDefinitions: Readonly<Record<Detail, number>> = { all: 4, short: 1, least: 0 }

function renderWindows({ windows, windowsLagRecords }: Status, detail: Detail): [string, string][] {
  const most = mostDefinitions[detail]
  const shown = windows.slice(0, windows.length > most ? most - 1 : most)
  const lines = shown.map(
    (definition) => `${visibleText(definition.name)}  ${describeWindows(definition, windowsLagRecords)}`,
  )
  if (most > 0 && shown.length < windows.length) {
    lines.push(
      `${formatQuantity(windows.length - shown.length, shown.length > 0 ? 'more definition' : 'definition')}: npm run windows -- list`,
    )
  }
  return lines.map((line, index) => [index === 0 ? 'windows' : '', line])
}

function describeWindows(windows: Status['windows'][number], lagRecords: number | null): string {
  const { state, reason, percent } = windows
  if (state === 'awaiting table' || state === 'stopped')
    return visibleText(`${state}${reason === null ? '' : `: ${firstLine(reason)}`}`)
  if (state === 'backfilling')
    return `is filled from the rows that are there${percent === null ? '' : `, ${percent} %`}`
  const counts = [
    ['open', windows.open, true],
    ['final', windows.final, true],
    ['revised', windows.revised, false],
    ['closed', windows.closed, false],
    ['late', windows.late, true],
    ['ahead', windows.future, false],
    ['without time', windows.nullTimes, false],
  ] as const
  const parts = counts.flatMap(([name, count, always]) =>
    always || count ? [`${formatCount(count ?? 0)} ${name}`] : [],
  )
  const watermark = windows.watermark === null ? 'no watermark' : `watermark ${windows.watermark}`
  const lag = lagRecords === null ? 'lag unknown' : `lag ${formatQuantity(lagRecords, 'record')}`
  return [parts.join(', '), watermark, lag, ...(percent === null ? [] : [`reconciled to ${percent} %`])].join('; ')
}

/** At most `most` rows below the heading: first tables that are not captured, then those that changed last. */
export function renderTables(tables: TableStatus[], most: number, width: number, style: Style): string[] {
  if (tables.length === 0) return [style.label('no captured tables yet: create one in the source')]
  const rank = (table: TableStatus) => (table.state === 'captured' ? (table.changedSecondsAgo ?? Infinity) : -1)
  const byInterest = tables.toSorted((a, b) => compare(rank(a), rank(b)) || a.name.localeCompare(b.name))
  const shown = byInterest
    .slice(0, tables.length <= most ? most : most - 1)
    .sort((a, b) => a.name.localeCompare(b.name))
  const cells = [
    ['source', 'target', 'state', 'last change'].map(style.label),
    ...shown.map((table) => [
      renderRows(table.source),
      renderRows(table.target),
      table.state === 'captured' ? table.state : style.bad(table.state),
      table.changedSecondsAgo === null ? '-' : describeAge(table.changedSecondsAgo),
    ]),
  ]
  const columns = cells[0]!.map((_, column) => Math.max(...cells.map((row) => displayWidth(row[column]!))))
  const nameWidth = Math.max(10, width - columns.reduce((sum, each) => sum + each + 2, 0))
  const names = [style.label('table'), ...shown.map(({ name }) => shortenName(visibleText(name), nameWidth))]
  const lines = alignColumns(
    cells.map((row, index) => [names[index]!, ...row]),
    [1, 2],
  )
  return shown.length < tables.length ? [...lines, style.label(`and ${tables.length - shown.length} more`)] : lines
}

const compare = (a: number, b: number): number => (a === b ? 0 : a - b)

function renderRows(count: TableStatus['target']): string {
  return count === null ? '-' : `${count.isEstimate ? '~' : ''}${formatCount(count.rows)}`
}

const describeAge = (seconds: number): string => (seconds < 3 ? 'now' : `${formatSeconds(seconds)} ago`)

const firstLine = (text: string): string => text.split('\n')[0]!

/** How long the stack has been running, and how much memory it uses. */
export function describeRun({ uptimeSeconds, residentBytes }: Status): string {
  const memory = residentBytes === null ? '' : `, ${formatBytes(residentBytes)} of memory`
  return `running ${formatSeconds(uptimeSeconds)}${memory}`
}

/** The first line, which begins with the problems if there are any. */
export function renderHeader(text: string, problem: string | undefined, style: Style): string {
  const wrong = problem === undefined ? '' : `  ${style.bad(problem)}`
  return `${style.strong('Tidemark')}${wrong}  ${text}`
}
