import { alignColumns, displayWidth } from '../terminal/aligned-columns.ts'
import { countRows } from '../terminal/live-screen.ts'
import { formatBytes, formatCount, formatDuration, formatQuantity, formatSeconds } from '../terminal/quantities.ts'
import type { Style } from '../terminal/style.ts'
import type { Component, Status, TableStatus } from './status.ts'

/** What stands below the status. */
export type ScreenFooter = { source: string; reader: string; feed?: string; hint?: string }

/** The screen's size in characters, and how it is coloured. */
export type ScreenOptions = { width: number; height: number; style: Style }

const invokeExample = `npm run invoke -- producer '{"mode":"rows","seconds":10,"eventsPerSecond":50}'`

/** The status as lines of a screen; tables are left out where it would not have room for all. */
export function renderStatus(status: Status, footer: ScreenFooter, options: ScreenOptions): string[] {
  const { width, height, style } = options
  const above = [
    [renderHeader(status, style)],
    renderComponents(status.components, options),
    renderFlow(status, footer, style),
  ]
  const below = [
    renderProblems('stopped', status.stopped, style),
    renderUncaptured(status, style),
    status.lastError === null ? [] : [`${style.label('last error')}  ${firstLine(status.lastError)}`],
    renderFooter(footer, style),
  ]
  const others = [...above, ...below].filter((part) => part.length > 0)
  const taken = others.flat().reduce((rows, line) => rows + countRows(line, width), others.length)
  const tables = renderTables(status.tables, Math.max(3, height - taken - 1), style)
  return [...above, tables, ...below]
    .filter((part) => part.length > 0)
    .flatMap((part, index) => (index === 0 ? part : ['', ...part]))
}

function renderHeader({ uptimeSeconds, residentBytes, quarantinedRecords }: Status, style: Style): string {
  const parts = [`running ${formatSeconds(uptimeSeconds)}`]
  if (residentBytes !== null) parts.push(`${formatBytes(residentBytes)} of memory`)
  if (quarantinedRecords > 0) parts.push(style.bad(`${formatCount(quarantinedRecords)} records in quarantine`))
  return `${style.strong('Tidemark')}  ${parts.join(', ')}`
}

const kinds = { server: 'servers', mapping: 'mappings', function: 'functions' } as const

/** What is well goes side by side; what is not gets a line with its reason. */
function renderComponents(components: Component[], { width, style }: ScreenOptions): string[] {
  const isWell = ({ state }: Component) => state === 'healthy' || state === 'idle'
  const rows = Object.entries(kinds).flatMap(([kind, label]) => {
    const cells = components.filter((each) => each.kind === kind && isWell(each)).map((each) => renderWell(each, style))
    return flow(cells, width - 11).map((line, index) => [index === 0 ? style.label(label) : '', line])
  })
  const unwell = components.filter((component) => !isWell(component))
  return [
    ...alignColumns(rows),
    ...unwell.map(({ name, state, lastError }) => {
      const reason = lastError === undefined ? '' : `: ${firstLine(lastError)}`
      return `${style.bad('●')} ${name} ${style.bad(state)}${reason}`
    }),
  ]
}

function renderWell({ name, state, restarts, errors }: Component, style: Style): string {
  const notes = [
    ...(state === 'idle' ? ['idle'] : []),
    ...(restarts > 0 ? [`restarted ${restarts}×`] : []),
    ...(errors > 0 ? [formatQuantity(errors, 'error')] : []),
  ]
  return `${style.good('●')} ${name}${notes.length > 0 ? style.label(` (${notes.join(', ')})`) : ''}`
}

/** Puts cells side by side, as many as the width takes. */
function flow(cells: string[], width: number): string[] {
  const lines: string[] = []
  for (const cell of cells) {
    const line = lines.at(-1)
    if (line === undefined || displayWidth(line) + 3 + displayWidth(cell) > width) lines.push(cell)
    else lines[lines.length - 1] = `${line}   ${cell}`
  }
  return lines
}

function renderFlow(status: Status, { feed }: ScreenFooter, style: Style): string[] {
  const { capturedPerSecond, appliedPerSecond, lagRecords, lagMs, visibleUntilMsAgo, initialLoad } = status
  const latency = status.commitToVisibleMs
  const rows = [
    ['captured', `${formatCount(capturedPerSecond)} changes/s`],
    ['applied', `${formatCount(appliedPerSecond)} changes/s`],
    ['lag', `${formatQuantity(lagRecords, 'record')}, ${formatDuration(lagMs)}`],
    [
      'commit to visible',
      latency === null ? '-' : `p50 ${latency.p50} ms   p95 ${latency.p95} ms   p99 ${latency.p99} ms`,
    ],
    [
      'visible',
      visibleUntilMsAgo === null
        ? 'initial snapshot'
        : `all that was committed until ${formatDuration(visibleUntilMsAgo)} ago`,
    ],
    ['log kept', status.retainedWalBytes === null ? 'no replication slot' : formatBytes(status.retainedWalBytes)],
  ]
  if (status.archive !== null) rows.push(['archive', renderArchive(status.archive)])
  if (initialLoad !== null) {
    const { rows: loaded, expectedRows, percent } = initialLoad
    rows.push(['initial load', `${formatCount(loaded)} of ${formatCount(expectedRows)} rows (${percent} %)`])
  }
  if (feed !== undefined) rows.push(['feed', feed])
  return alignColumns(rows.map(([label, value]) => [style.label(label!), value!]))
}

function renderArchive({ rows, files, bytes, tableSnapshots, ...state }: NonNullable<Status['archive']>): string {
  if (state.committedMsAgo === null)
    return `nothing committed yet, ${formatQuantity(state.waitingRecords, 'record')} waiting`
  const size = `${formatQuantity(rows, 'row')} in ${formatQuantity(files, 'file')} of ${formatBytes(bytes)}`
  const age = `${formatQuantity(tableSnapshots, 'table snapshot')}, committed ${formatDuration(state.committedMsAgo)} ago`
  return `${size}, ${age}${state.waitingRecords === 0 ? '' : `, ${formatQuantity(state.waitingRecords, 'record')} waiting`}`
}

function renderTables(tables: TableStatus[], most: number, style: Style): string[] {
  if (tables.length === 0) return [style.label('no captured tables yet: create one in the source')]
  const rank = (table: TableStatus) => (table.state === 'captured' ? (table.changedSecondsAgo ?? Infinity) : -1)
  const byInterest = tables.toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
  const shown = byInterest
    .slice(0, tables.length <= most ? most : most - 1)
    .sort((a, b) => a.name.localeCompare(b.name))
  const lines = alignColumns(
    [
      ['table', 'source', 'target', 'state', 'last change'].map(style.label),
      ...shown.map((table) => [
        table.name,
        renderRows(table.source),
        renderRows(table.target),
        table.state === 'captured' ? table.state : style.bad(table.state),
        table.changedSecondsAgo === null ? '-' : describeAge(table.changedSecondsAgo),
      ]),
    ],
    [1, 2],
  )
  return shown.length < tables.length ? [...lines, style.label(`and ${tables.length - shown.length} more`)] : lines
}

function renderRows(count: TableStatus['target']): string {
  return count === null ? '-' : `${count.isEstimate ? '~' : ''}${formatCount(count.rows)}`
}

function describeAge(seconds: number): string {
  return seconds < 3 ? 'now' : `${formatSeconds(seconds)} ago`
}

function renderProblems(title: string, problems: { name: string; reason: string }[], style: Style): string[] {
  if (problems.length === 0) return []
  return [style.label(title), ...problems.map(({ name, reason }) => `  ${style.bad(name)}  ${reason}`)]
}

function renderUncaptured({ uncaptured }: Status, style: Style): string[] {
  if (uncaptured.length === 0) return []
  const lines = uncaptured.flatMap(({ name, why, fix }) => [
    `  ${style.strong(name)}  ${why}`,
    ...(fix === null ? [] : fix.split('\n').map((line) => `    ${line}`)),
  ])
  return [style.label('not captured'), ...lines]
}

function renderFooter({ source, reader, hint }: ScreenFooter, style: Style): string[] {
  const lines = alignColumns([
    [style.label('source'), `psql '${source}'`],
    [style.label('target'), `psql '${reader}'`],
    [style.label('try'), invokeExample],
  ])
  return hint === undefined ? lines : [...lines, '', style.label(hint)]
}

function firstLine(text: string): string {
  return text.split('\n')[0]!
}
