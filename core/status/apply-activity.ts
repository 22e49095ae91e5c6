import type { LatencyPercentiles } from './latencies.ts'

/** The work of the apply function in a period of time. */
export type ApplyActivity = LatencyPercentiles & {
  changes: number
  changesPerSecond: number
  quarantined: number
}
