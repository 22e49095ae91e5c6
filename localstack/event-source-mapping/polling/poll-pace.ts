/** When to poll again after a poll that brought little. */
export type PollPace = {
  /** Settles at once where nothing waits and nothing is being worked on: a record is then delivered as soon as it is there. */
  more(): Promise<void>
  /** An invocation has ended, or the polling: whoever waits polls now. */
  again(): void
}

/** How long little may gather without a window: shorter than an invocation takes. */
const WITHOUT_WINDOW_MS = 10
const WITH_WINDOW_MS = 100

/**
 * While the function works or records wait for their window, what arrives is not delivered sooner for being polled for record
 * by record, and each poll takes time of the broker and of this process: it is polled for together, ten times in a window.
 */
export function makePollPace(windowMs: number, isBusy: () => boolean): PollPace {
  const pauseMs = windowMs === 0 ? WITHOUT_WINDOW_MS : Math.min(WITH_WINDOW_MS, windowMs / 10)
  const waiting = new Set<() => void>()
  return {
    async more() {
      if (!isBusy()) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, pauseMs)
      waiting.add(resolve)
      await promise
      waiting.delete(resolve)
      clearTimeout(timer)
    },
    again() {
      for (const resolve of waiting) resolve()
    },
  }
}
