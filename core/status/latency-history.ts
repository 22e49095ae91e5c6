import { type Latencies, type LatencyPercentiles, LatencyTotals, type Percentiles } from './latencies.ts'

/** The latency from commit to visible in a minute, or in ten. `atMs` is its begin, in ms since 1970. */
export type LatencyPoint = Percentiles & { atMs: number; changes: number }

/** The latencies of the last day. */
export type LatencyOfDay = {
  lastDay: LatencyPercentiles
  /** Ascending, by the minute for the last hour and by ten minutes before. Times without changes are left out. */
  series: LatencyPoint[]
}

const MINUTE_MS = 60_000
const TEN_MINUTES_MS = 600_000
/** The minutes of the last hour, and those before it in the ten minutes in which it begins. */
const MINUTES_KEPT = 70
const TEN_MINUTES_KEPT = 144

/**
 * Keeps the latencies of the last day: totals of each minute for the last hour, and of ten minutes each for the day.
 * Its size does not grow with the number of changes. Times are in ms since 1970.
 */
export class LatencyHistory {
  readonly #minutes = new Periods(MINUTE_MS, MINUTES_KEPT)
  readonly #tenMinutes = new Periods(TEN_MINUTES_MS, TEN_MINUTES_KEPT)

  /** Takes what an invocation has measured. */
  take(latencies: Latencies, nowMs: number): void {
    this.#minutes.at(nowMs).add(latencies)
    this.#tenMinutes.at(nowMs).add(latencies)
  }

  describe(nowMs: number): LatencyOfDay {
    // The series goes over to minutes where ten minutes begin, so that no change is in two of its points.
    const minutesFromMs = beginOf(nowMs - 60 * MINUTE_MS, TEN_MINUTES_MS)
    const tenMinutes = this.#tenMinutes.ascending(nowMs)
    const day = new LatencyTotals()
    for (const { totals } of tenMinutes) day.merge(totals)
    return {
      lastDay: day.percentiles(),
      series: [
        ...tenMinutes.filter(({ atMs }) => atMs < minutesFromMs),
        ...this.#minutes.ascending(nowMs).filter(({ atMs }) => atMs >= minutesFromMs),
      ].flatMap(pointOf),
    }
  }
}

function pointOf({ atMs, totals }: Period): LatencyPoint[] {
  const { commitToVisibleMs } = totals.percentiles()
  return commitToVisibleMs === null ? [] : [{ atMs, ...commitToVisibleMs, changes: totals.changes }]
}

type Period = { readonly atMs: number; readonly totals: LatencyTotals }

/** The totals of the last `kept` periods of the same length. */
class Periods {
  readonly #lengthMs: number
  readonly #kept: number
  readonly #totals = new Map<number, LatencyTotals>()

  constructor(lengthMs: number, kept: number) {
    this.#lengthMs = lengthMs
    this.#kept = kept
  }

  /** The totals of the period that `nowMs` is in. */
  at(nowMs: number): LatencyTotals {
    const atMs = beginOf(nowMs, this.#lengthMs)
    const known = this.#totals.get(atMs)
    if (known !== undefined) return known
    this.#forget(nowMs)
    const totals = new LatencyTotals()
    this.#totals.set(atMs, totals)
    return totals
  }

  ascending(nowMs: number): Period[] {
    this.#forget(nowMs)
    return [...this.#totals].map(([atMs, totals]) => ({ atMs, totals })).sort((a, b) => a.atMs - b.atMs)
  }

  /** Periods that are still to come are removed as well: the clock was ahead, and they would never be old. */
  #forget(nowMs: number): void {
    const newestMs = beginOf(nowMs, this.#lengthMs)
    const oldestMs = newestMs - (this.#kept - 1) * this.#lengthMs
    for (const atMs of this.#totals.keys()) if (atMs < oldestMs || atMs > newestMs) this.#totals.delete(atMs)
  }
}

const beginOf = (nowMs: number, lengthMs: number): number => Math.floor(nowMs / lengthMs) * lengthMs
