import { LatencyHistory } from '#core/status/latency-history.ts'
import { ApplyMetrics, readApplyWork } from '#localstack/metrics.ts'
import { activityMs, startStatusMonitor } from '#verify/status-monitor.ts'
import { type MeasuredStack, startMeasuredStack } from '../measured-stack.ts'
import { type ConsoleProcess, startConsole } from './console-process.ts'

/** A measured stack with its console. */
export type MeasuredConsole = { readonly stack: MeasuredStack; readonly console: ConsoleProcess }

/** Runs the work on a console that has just been started. */
export async function withConsole<T>(
  stack: MeasuredStack,
  work: (measured: MeasuredConsole) => Promise<T>,
): Promise<T> {
  const { directory } = stack.pipeline.settings
  const console = await startConsole({ directory, environment: { TIDEMARK_DIRECTORY: directory } })
  try {
    return await work({ stack, console })
  } finally {
    await console.stop()
  }
}

/** Starts a stack, whose status is observed as in `npm start`, for the work, and stops it afterwards. */
export async function withStack<T>(
  onProgress: (what: string) => void,
  work: (stack: MeasuredStack) => Promise<T>,
): Promise<T> {
  const metrics = new ApplyMetrics(activityMs, performance.now())
  const latencies = new LatencyHistory()
  const onLog = (name: string, line: string) => {
    const applied = name.endsWith('apply-latest-state') ? readApplyWork(line) : undefined
    if (applied === undefined) return
    latencies.take(applied.latencies, Date.now())
    metrics.take(applied, performance.now())
  }
  const stack = await startMeasuredStack(onProgress, { keepsFunctionsWarm: true, onLog })
  const { engine } = stack.pipeline
  const monitor = startStatusMonitor(engine, metrics, latencies)
  engine.page('status', () => monitor.status())
  try {
    return await work(stack)
  } finally {
    await Promise.all([stack.stop(), monitor.stop()])
  }
}
