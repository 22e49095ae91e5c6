import { setTimeout } from 'node:timers/promises'

/** What the last observation saw, and why it failed where it did; a failed one leaves what was seen before. */
export type Latest<T> = { value?: T; error?: string }

/** Something that is looked at again and again, one look after the other. */
export type RepeatedObservation<T> = {
  latest(): Latest<T>
  /** Settles when no look is under way any more. */
  stop(): Promise<void>
}

/** Looks at once, and again `everyMs` after each look; `onSeen` is told what every successful look saw. */
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
