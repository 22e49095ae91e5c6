import { type ProcessProgress, progressOf } from './process-progress.ts'

type Starting = {
  logFile: string
  stuckAfterMs?: number
  onWaiting?: (what: string) => void
}

const LOOK_MS = 2_000
const STUCK_AFTER_MS = 120_000
/** A start that takes less than this is not watched. */
const QUIET_MS = 5_000
/**
 * A server that waits without end still wakes up now and then. Processor time below this share does not count as work.
 */
const IDLE_SHARE = 0.02

/** Decides whether a starting server makes progress, from what it has done at each look. */
export class StartProgress {
  #last: Omit<ProcessProgress, 'lastLine'> = { logBytes: 0, cpuSeconds: 0 }
  #atMs: number
  readonly #stuckAfterMs: number

  constructor(startedMs: number, stuckAfterMs: number) {
    this.#atMs = startedMs
    this.#stuckAfterMs = stuckAfterMs
  }

  /** True when the server has done nothing for too long. */
  isStuck(progress: ProcessProgress, nowMs: number): boolean {
    const idleMs = nowMs - this.#atMs
    const worked = progress.cpuSeconds - this.#last.cpuSeconds
    const worksEnough = worked >= Math.max(1, (IDLE_SHARE * this.#stuckAfterMs) / 1_000)
    if (progress.logBytes > this.#last.logBytes || worksEnough) {
      this.#last = progress
      this.#atMs = nowMs
      return false
    }
    return idleMs >= this.#stuckAfterMs
  }
}

/**
 * Looks at a starting server every two seconds, reports what it is doing, and aborts `stuck` with the reason as text.
 */
export function watchProgress(
  { logFile, stuckAfterMs = STUCK_AFTER_MS, onWaiting }: Starting,
  { pid, logStart }: { pid: number; logStart: number },
  stuck: AbortController,
): { stop: () => void } {
  const startedMs = performance.now()
  const start = new StartProgress(startedMs, stuckAfterMs)
  let timer: NodeJS.Timeout | undefined
  let isOver = false

  async function look(): Promise<void> {
    // A look fails on a machine without free processes or memory. It is repeated.
    const progress = await progressOf(pid, logFile, logStart).catch(() => undefined)
    if (isOver) return
    const nowMs = performance.now()
    if (progress !== undefined) {
      onWaiting?.(describe(progress, nowMs - startedMs))
      if (start.isStuck(progress, nowMs)) stuck.abort(describeStuck(progress, stuckAfterMs))
    }
    schedule(LOOK_MS)
  }
  const schedule = (ms: number): void => {
    timer = setTimeout(() => void look(), Math.min(ms, stuckAfterMs / 4))
  }
  schedule(QUIET_MS)
  return {
    stop: () => {
      isOver = true
      clearTimeout(timer)
    },
  }
}

function describe({ cpuSeconds, lastLine }: ProcessProgress, ms: number): string {
  const took = `for ${Math.round(ms / 1_000)} s, ${Math.round(cpuSeconds)} s of processor`
  return lastLine === '' ? took : `${took}, last logged: ${lastLine.slice(0, 100)}`
}

const describeStuck = ({ lastLine }: ProcessProgress, ms: number): string =>
  `it runs, but has done nothing for ${ms / 1_000} s: no line in its log${lastLine && ' after the last one below'}, and hardly any time of the processor`
