import { type Engine, type Progress, startEngine } from '#localstack/engine.ts'
import { type ApplyActivity, ApplyMetrics } from '#localstack/metrics.ts'
import { readSettings } from '#localstack/settings.ts'
import { describeComparison } from './compare/comparison-report.ts'
import { runLive } from './start/live-run.ts'
import { loadOnce } from './start/load-once.ts'
import { readStartOptions, type StartOptions } from './start/options.ts'
import { makeStepLog } from './start/step-log.ts'
import { activityMs, type StatusMonitor, startStatusMonitor } from './status/status-monitor.ts'
import { makeProgressLine } from './terminal/progress-line.ts'
import { formatDuration } from './terminal/quantities.ts'
import { styleOf } from './terminal/style.ts'

const help = `npm start [-- --rows N] [--rate R] [--no-feed] [--brokers 3] [--json]
npm start -- --once --rows N [--rate R] [--brokers 3]

Starts source, target, Kafka, Connect, the functions and the mappings from the synthesized CDK app, feeds taxi trips of
New York into the source and shows one live status screen. Ctrl-C stops everything; data is kept for the next start.
  --rows      trips to feed (64215, the whole file)
  --rate      trips a second (RECORD_RATE, or 100); 0 for as fast as possible
  --no-feed   no tables and no trips: for tables of your own
  --brokers   3 brokers that keep a copy of every record each, of which one may be lost; 1 unless told otherwise. The data
              keeps the number: npm run reset before another one
  --json      the same as lines of JSON
  --once      feeds (as fast as possible), waits until source and target are equal, compares every row and the archive
              with the topics, stops, and prints as its last line {"rows", "mismatches", "archiveMismatches", …}; 0 only
              without mismatches`

/** 0 when Ctrl-C ended a running stack, or `--once` found no mismatches; 1 when it did; 130 when it was interrupted. */
export async function main(argv: string[]): Promise<number> {
  const options = readStartOptions(argv, process.env)
  if (options.help) {
    console.log(help)
    return 0
  }
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => interrupt.abort(new Error('interrupted')))
  }
  try {
    return await (options.once ? runOnce(options, interrupt.signal) : runOn(options, interrupt.signal))
  } catch (error) {
    if (!interrupt.signal.aborted) throw error
    return 130
  }
}

async function runOn(options: StartOptions, signal: AbortSignal): Promise<number> {
  await withStack(options, signal, ({ engine, monitor }) => runLive(engine, monitor, options, signal))
  return 0
}

async function runOnce(options: StartOptions, signal: AbortSignal): Promise<number> {
  const progress = makeProgressLine()
  const { result, comparison } = await withStack(options, signal, ({ engine, measure }) => {
    const loaded = loadOnce(engine, { ...options, measure, signal, onProgress: progress.tell })
    return unlessAborted(loaded, signal).finally(progress.clear)
  })
  if (result.archiveMismatches > 0)
    console.error(`${result.archiveMismatches} records are not in the archive as they are`)
  if (result.mismatches > 0) console.error(describeComparison(comparison))
  console.log(JSON.stringify(result))
  return result.mismatches + result.archiveMismatches === 0 ? 0 : 1
}

type Stack = {
  engine: Engine
  monitor: StatusMonitor
  /** Begins to measure what the apply function does; what it returns tells what it did since. */
  measure: () => () => ApplyActivity
}

/** Starts everything, works with it, and stops everything whatever came of the work. */
async function withStack<T>(
  options: StartOptions,
  signal: AbortSignal,
  work: (stack: Stack) => Promise<T>,
): Promise<T> {
  const metrics = new Set<ApplyMetrics>()
  const measureOver = (keptMs: number) => {
    const measured = new ApplyMetrics(keptMs, performance.now())
    metrics.add(measured)
    return measured
  }
  const engine = await start(options, signal, (name, line) => {
    if (!name.endsWith('apply-latest-state')) return
    for (const each of metrics) each.take(line, performance.now())
  })
  const monitor = startStatusMonitor(engine, measureOver(activityMs))
  engine.page('status', () => monitor.status())
  const measure = () => {
    const measured = measureOver(Infinity)
    return () => measured.activity(performance.now())
  }
  try {
    return await work({ engine, monitor, measure })
  } finally {
    await stop(engine, monitor)
  }
}

/** Standard output is for the result: while starting, all else goes to standard error. */
async function start(
  { json, once, cluster }: StartOptions,
  signal: AbortSignal,
  onLog: (name: string, line: string) => void,
) {
  const steps = makeStepLog({
    print: console.error,
    underWay: makeProgressLine(),
    style: styleOf(process.stderr),
  })
  const onProgress = json && !once ? (step: Progress) => console.log(JSON.stringify({ step })) : steps.take
  try {
    return await startEngine({ settings: { ...readSettings(process.env), ...cluster }, signal, onLog, onProgress })
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

/** What is still under way when `signal` aborts is left to the end of the process. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  work.catch(() => undefined)
  return Promise.race([work, aborted.promise])
}
