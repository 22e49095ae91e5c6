import { setTimeout } from 'node:timers/promises'
import type { Latest } from '#core/status/observations.ts'

/** An observation that is repeated, one after the other. */
export type RepeatedObservation<T> = {
  latest(): Latest<T>
  /** Resolves when no observation is under way any more. */
  stop(): Promise<void>
}

/** Observes at once, and then `everyMs` after each observation. `onSeen` is called with every value. */
export function observeRepeatedly<T>(
  observe: () => Promise<T>,
  everyMs: number,
  onSeen: (value: T) => void = () => undefined,
): RepeatedObservation<T> {
  const stop = new AbortController()
  let latest: Latest<T> = {}
  const running = (async () => {
    while (!stop.signal.aborted) {
      try {
        latest = { value: await observe() }
        onSeen(latest.value as T)
      } catch (error) {
        latest = { ...latest, error: (error as Error).message }
      }
      await setTimeout(everyMs, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  })()
  return {
    latest: () => latest,
    stop: () => {
      stop.abort()
      return running
    },
  }
}
