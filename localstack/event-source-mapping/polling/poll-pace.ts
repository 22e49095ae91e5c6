/** Decides when to poll again after a poll that brought little. */
export type PollPace = {
  /**
   * Settles at once when no record waits and no invocation runs, so that a record is delivered as soon as it arrives.
   */
  more(): Promise<void>
  /** Called when an invocation or the polling has ended. All waiting calls of `more` settle. */
  again(): void
}

/** The pause between polls when there is no window. It is shorter than an invocation takes. */
const WITHOUT_WINDOW_MS = 10
const WITH_WINDOW_MS = 100

/**
 * While the function works, or records wait for their window, polling for each record would not deliver it sooner, and
 * each poll costs the broker and this process time. So records are polled for together, ten times in a window.
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
