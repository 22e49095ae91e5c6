import { setTimeout } from 'node:timers/promises'

/** The clock by which work is paced. Times are in milliseconds. */
export type Clock = {
  now(): number
  /** Resolves after `ms`, or as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The monotonic clock of the process. */
export const processClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => setTimeout(ms, undefined, signal && { signal }).catch((error) => rethrowUnlessAborted(error)),
}

/** How much to do and how fast. */
export type Pace = {
  /** Number of units in total; Infinity goes on until aborted. */
  total: number
  /** Units per second; Infinity is as fast as possible. */
  perSecond: number
  /** The most units that are given out at once. */
  largest: number
  signal?: AbortSignal
}

// Timers finer than this cost more than the work that they pace, so units due within one tick are given out together.
const tickMs = 10

/**
 * Gives out how many units to do now, until `total` is reached or `signal` aborts. Unit k (from 0) is due k/perSecond
 * after the start, and is never given out earlier. Times are counted from the start and not from the previous unit, so
 * slow work is caught up and the rate does not drift.
 */
export async function* paced({ total, perSecond, largest, signal }: Pace, clock: Clock): AsyncGenerator<number> {
  const start = clock.now()
  let done = 0
  while (done < total && signal?.aborted !== true) {
    const elapsedMs = clock.now() - start
    const count = Math.min(unitsDue(elapsedMs, perSecond), total, done + largest) - done
    if (count > 0) {
      yield count
      done += count
    } else {
      await clock.sleep(nextWakeMs(done, perSecond) - elapsedMs, signal)
    }
  }
}

function unitsDue(elapsedMs: number, perSecond: number): number {
  if (perSecond === Infinity) return Infinity
  const untilMs = finerThanTicks(perSecond) ? Math.floor(elapsedMs / tickMs) * tickMs : elapsedMs
  // The added 1e-9 absorbs binary fractions: unit 3 of 100 per second is due at 30 ms, not at 30.000000000000004.
  return Math.floor((untilMs * perSecond) / 1000 + 1e-9) + 1
}

function nextWakeMs(done: number, perSecond: number): number {
  const dueMs = (done * 1000) / perSecond
  return finerThanTicks(perSecond) ? Math.ceil(dueMs / tickMs) * tickMs : dueMs
}

function finerThanTicks(perSecond: number): boolean {
  return 1000 / perSecond < tickMs
}

function rethrowUnlessAborted(error: unknown): void {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error
}
