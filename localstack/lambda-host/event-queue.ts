import type { Outcome } from './invocation.ts'

/** Events of asynchronous invocations, kept until the function has worked on them. In memory: they end with the host. */
export type EventQueue = {
  push(payload: Buffer): void
  /** Hands out as many events as the function's concurrency allows. */
  drain(): void
  stop(): void
}

/** A failed event is tried again after each of `retryDelaysMs`, then discarded with a line in the log. */
export function makeEventQueue({
  tryInvoke,
  retryDelaysMs,
  onLog,
}: {
  tryInvoke: (payload: Buffer) => Promise<Outcome> | undefined
  retryDelaysMs: number[]
  onLog: (line: string) => void
}): EventQueue {
  const waiting: { payload: Buffer; failures: number }[] = []
  const retries = new Set<NodeJS.Timeout>()
  let stopped = false

  function drain(): void {
    while (waiting.length > 0 && !stopped) {
      const { payload, failures } = waiting[0]!
      const invocation = tryInvoke(payload)
      if (invocation === undefined) return
      waiting.shift()
      invocation.then(
        (outcome) => outcome.functionError && retry(payload, failures, outcome.payload.toString()),
        (error) => retry(payload, failures, String(error)),
      )
    }
  }

  function retry(payload: Buffer, failures: number, reason: string): void {
    const delayMs = retryDelaysMs[failures]
    if (stopped) return
    if (delayMs === undefined) {
      onLog(`event discarded, the function failed ${failures + 1} times: ${reason}`)
      return
    }
    const timer = setTimeout(() => {
      retries.delete(timer)
      waiting.push({ payload, failures: failures + 1 })
      drain()
    }, delayMs)
    retries.add(timer)
  }

  return {
    push(payload) {
      waiting.push({ payload, failures: 0 })
      drain()
    },
    drain,
    stop() {
      stopped = true
      for (const timer of retries) clearTimeout(timer)
    },
  }
}
