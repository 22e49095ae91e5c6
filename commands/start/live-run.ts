import { setTimeout } from 'node:timers/promises'
import { isWell } from '#core/status/components.ts'
import type { Status } from '#core/status/status.ts'
import type { Engine } from '#localstack/engine.ts'
import { openLiveScreen, textOf } from '#terminal/live-screen.ts'
import { formatCount, formatDuration } from '#terminal/quantities.ts'
import { styleOf } from '#terminal/style.ts'
import type { StatusMonitor } from '#verify/status-monitor.ts'
import { summarizeProblems } from '../status/screen-problems.ts'
import { describeConsole, renderStatus, type ScreenFooter } from '../status/status-screen.ts'
import type { ConsoleState } from './console-process.ts'
import type { StartOptions } from './options.ts'
import { startTripFeeding, type TripFeeding } from './trip-feeding.ts'

const screenMs = 1_000
const lineMs = 10_000

/** What is shown: the status, and the state of the console once it is started. */
export type Shown = { readonly monitor: StatusMonitor; readonly console: () => ConsoleState | undefined }

/** Feeds trips, unless `feeds` is false, and shows the status until `signal` aborts. */
export async function runLive(
  { endpoints }: Engine,
  { monitor, console: consoleState }: Shown,
  { rows, perSecond, feeds, json }: StartOptions,
  signal: AbortSignal,
): Promise<void> {
  const { source, reader } = endpoints
  const feeding = feeds ? startTripFeeding({ source, rows, perSecond, signal, giveUpMs: Infinity }) : undefined
  // It never gives up, so it ends only by the signal, and that rejection is expected.
  feeding?.done.catch(() => undefined)
  const footer = (): ScreenFooter => ({
    source,
    reader,
    hint: 'Ctrl-C stops everything',
    ...describeConsole(consoleState()),
    ...(feeding && { feed: describeFeed(feeding, rows, perSecond) }),
  })
  const announce = announceOnce(consoleState, json)
  if (json) {
    return repeat(screenMs, signal, () => {
      announce()
      console.log(JSON.stringify({ status: monitor.status() }))
    })
  }
  if (!process.stdout.isTTY) {
    for (const line of renderStatus(monitor.status(), footer(), plainPage)) console.log(textOf(line))
    const lines = repeat(lineMs, signal, () => console.log(describeInOneLine(monitor.status())))
    await Promise.all([lines, repeat(screenMs, signal, announce)])
    return
  }
  const screen = openLiveScreen(process.stdout)
  try {
    const style = styleOf(process.stdout)
    await repeat(screenMs, signal, () => {
      const status = monitor.status()
      screen.draw((size) => renderStatus(status, footer(), { ...size, style }))
    })
  } finally {
    screen.close()
  }
}

/** Prints the address of the console once, as soon as there is one, where no screen shows it. */
function announceOnce(state: Shown['console'], json: boolean): () => void {
  let isDone = false
  return () => {
    const seen = state()
    if (isDone || seen === undefined) return
    isDone = true
    console.log(json ? JSON.stringify({ console: seen }) : `console  ${describeConsole(seen).console}`)
  }
}

const plainPage = { width: 200, height: 60, style: styleOf({}) }

async function repeat(everyMs: number, signal: AbortSignal, show: () => void): Promise<void> {
  while (!signal.aborted) {
    show()
    await setTimeout(everyMs, undefined, { signal }).catch(() => undefined)
  }
}

function describeFeed(feeding: TripFeeding, rows: number, perSecond: number): string {
  const error = feeding.lastError()
  if (error !== undefined) return `does not go on: ${error}`
  const fed = feeding.fed()
  if (fed >= rows) return `all ${formatCount(rows)} trips are in the source; npm run feed inserts more`
  const rate = perSecond === Infinity ? 'as fast as possible' : `${formatCount(perSecond)} a second`
  return `${formatCount(fed)} of ${formatCount(rows)} trips, ${rate}`
}

/** The figures that change, in one line for a log. */
function describeInOneLine(status: Status): string {
  const { components, capturedPerSecond, appliedPerSecond, lagRecords, lagMs, commitToVisibleMs: latency } = status
  const problems = summarizeProblems(status)
  const parts = [
    new Date().toISOString(),
    `captured ${formatCount(capturedPerSecond)}/s`,
    `applied ${formatCount(appliedPerSecond)}/s`,
    lagRecords === null || lagMs === null
      ? 'lag unknown'
      : `lag ${formatCount(lagRecords)} records, ${formatDuration(lagMs)}`,
    `commit to visible p50 ${latency?.p50 ?? '-'} p95 ${latency?.p95 ?? '-'} p99 ${latency?.p99 ?? '-'} ms`,
    ...(status.initialLoad === null ? [] : [`initial load ${status.initialLoad.percent} %`]),
    ...components.filter((each) => !isWell(each)).map(({ name, state }) => `${name} ${state}`),
    ...(problems === undefined ? [] : [problems]),
  ]
  return parts.join('  ')
}
