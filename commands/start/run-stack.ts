import { join } from 'node:path'
import type { ApplyActivity } from '#core/status/apply-activity.ts'
import { LatencyHistory } from '#core/status/latency-history.ts'
import type { Engine, EngineOptions, Progress } from '#localstack/engine.ts'
import { ApplyMetrics, readApplyWork } from '#localstack/metrics.ts'
import { readSettings, type Settings } from '#localstack/settings.ts'
import { makeProgressLine } from '#terminal/progress-line.ts'
import { formatDuration } from '#terminal/quantities.ts'
import { styleOf } from '#terminal/style.ts'
import { describeComparison } from '#verify/comparison-report.ts'
import { activityMs, type StatusMonitor, startStatusMonitor } from '#verify/status-monitor.ts'
import { describeWindowsComparison } from '#verify/windows/windows-report.ts'
import { untilChangesShow } from './changes-shown.ts'
import { startConsoleProcess } from './console-process.ts'
import { runLive } from './live-run.ts'
import { loadOnce } from './load-once.ts'
import { readStartOptions, type StartOptions } from './options.ts'
import { makeStepLog } from './step-log.ts'

/** A command that starts a stack, works with it and stops it. */
export type StackCommand<E extends Engine> = {
  help: string
  start: (options: EngineOptions) => Promise<E>
  /** Reports more about a stack after a load with `--once`, before it stops. */
  report?: (engine: E, options: StartOptions) => Promise<void>
}

/** Returns the exit code: 0, 1 after mismatches of `--once`, or 130 if it was interrupted before the stack was up. */
export async function runStack<E extends Engine>(argv: string[], command: StackCommand<E>): Promise<number> {
  const options = readStartOptions(argv, process.env)
  if (options.help) {
    console.log(command.help)
    return 0
  }
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => interrupt.abort(new Error('interrupted')))
  }
  interrupt.signal.addEventListener('abort', endSoon)
  try {
    return await (options.once
      ? runOnce(command, options, interrupt.signal)
      : runOn(command, options, interrupt.signal))
  } catch (error) {
    if (!interrupt.signal.aborted) throw error
    return 130
  }
}

/** The servers are killed before this time. Anything that still waits for an answer ends with this process. */
const ENDED_WITHIN_MS = 4_700

function endSoon(): void {
  const end = (): never => process.exit(130)
  setTimeout(end, ENDED_WITHIN_MS).unref()
}

async function runOn<E extends Engine>(
  command: StackCommand<E>,
  options: StartOptions,
  signal: AbortSignal,
): Promise<number> {
  await withStack(command, options, signal, async ({ engine, monitor, logs }) => {
    const ready = untilChangesShow(monitor, options.feeds, signal)
    const console = options.console && startConsoleProcess({ settings: options.console, logs, ready, signal })
    const state = () => console?.state()
    engine.page('console', () => state() ?? null)
    await runLive(engine, { monitor, console: state }, options, signal).finally(() => console?.stop())
  })
  return 0
}

async function runOnce<E extends Engine>(
  command: StackCommand<E>,
  options: StartOptions,
  signal: AbortSignal,
): Promise<number> {
  const progress = makeProgressLine()
  const { result, comparison, windows } = await withStack(command, options, signal, async ({ engine, measure }) => {
    const loading = loadOnce(engine, { ...options, measure, signal, onProgress: progress.show })
    const loaded = await unlessAborted(loading, signal).finally(progress.clear)
    await command.report?.(engine, options)
    return loaded
  })
  if (result.archiveMismatches > 0)
    console.error(`${result.archiveMismatches} records are missing in the archive or differ there`)
  if (result.mismatches > 0) console.error(describeComparison(comparison))
  if (result.windowMismatches > 0) console.error(describeWindowsComparison(windows).join('\n'))
  console.log(JSON.stringify(result))
  return result.mismatches + result.windowMismatches + result.archiveMismatches === 0 ? 0 : 1
}

type Stack<E extends Engine> = {
  engine: E
  monitor: StatusMonitor
  /** Begins to measure the apply function. The returned function gives its activity since then. */
  measure: () => () => ApplyActivity
  /** The directory of the logs. */
  logs: string
}

/** Starts the stack, does the work, and stops the stack even if the work fails. */
async function withStack<E extends Engine, T>(
  command: StackCommand<E>,
  options: StartOptions,
  signal: AbortSignal,
  work: (stack: Stack<E>) => Promise<T>,
): Promise<T> {
  const metrics = new Set<ApplyMetrics>()
  const measureOver = (keptMs: number) => {
    const measured = new ApplyMetrics(keptMs, performance.now())
    metrics.add(measured)
    return measured
  }
  const settings = { ...readSettings(process.env), ...options.cluster }
  const latencies = new LatencyHistory()
  const engine = await start(command, { ...options, settings }, signal, (name, line) => {
    const work = name.endsWith('apply-latest-state') ? readApplyWork(line) : undefined
    if (work === undefined) return
    latencies.take(work.latencies, Date.now())
    for (const each of metrics) each.take(work, performance.now())
  })
  const monitor = startStatusMonitor(engine, measureOver(activityMs), latencies)
  engine.page('status', () => monitor.status())
  const measure = () => {
    const measured = measureOver(Infinity)
    return () => measured.activity(performance.now())
  }
  try {
    return await work({ engine, monitor, measure, logs: join(settings.directory, 'logs') })
  } finally {
    await stop(engine, monitor)
  }
}

/** Standard output is for the result, so everything else at the start goes to standard error. */
async function start<E extends Engine>(
  command: StackCommand<E>,
  { json, once, settings }: StartOptions & { settings: Settings },
  signal: AbortSignal,
  onLog: (name: string, line: string) => void,
): Promise<E> {
  const steps = makeStepLog({
    print: console.error,
    underWay: makeProgressLine(),
    style: styleOf(process.stderr),
  })
  const onProgress = json && !once ? (step: Progress) => console.log(JSON.stringify({ step })) : steps.take
  try {
    return await command.start({ settings, signal, onLog, onProgress })
  } finally {
    steps.end()
  }
}

async function stop(engine: Engine, monitor: StatusMonitor): Promise<void> {
  const startMs = performance.now()
  console.error('Stopping …')
  await Promise.all([engine.stop(), monitor.stop()])
  console.error(`Stopped in ${formatDuration(performance.now() - startMs)}.`)
}

/** If `signal` aborts, this does not wait for the work, which ends with the process. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  work.catch(() => undefined)
  return Promise.race([work, aborted.promise])
}
