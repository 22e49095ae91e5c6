import { signal } from '@preact/signals'
import type { Status } from '#core/status/status.ts'

/** What was seen at a time (seconds since 1970), while this page was open. */
export type TrendPoint = {
  readonly at: number
  readonly captured: number
  readonly applied: number
  readonly lagRecords: number | null
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

/** So many points are kept, which is half an hour of one each second. */
const MOST_POINTS = 1_800

/** The points, oldest first. */
export const trend = signal<readonly TrendPoint[]>([])

/** Adds a point, at most one for each second. */
export function noteTrend(at: string, status: Status): void {
  const seconds = Math.floor(Date.parse(at) / 1_000)
  if (Number.isNaN(seconds) || seconds <= (trend.value.at(-1)?.at ?? 0)) return
  const { capturedPerSecond: captured, appliedPerSecond: applied, lagRecords, commitToVisibleMs: latency } = status
  const point: TrendPoint = {
    ...{ at: seconds, captured, applied, lagRecords },
    ...{ p50: latency?.p50 ?? null, p95: latency?.p95 ?? null, p99: latency?.p99 ?? null },
  }
  trend.value = [...trend.value.slice(-(MOST_POINTS - 1)), point]
}
