/** Latencies in milliseconds: half of all changes took no longer than p50, and so on. */
export type Percentiles = { p50: number; p95: number; p99: number }

/** The work of the apply function in a period of time. */
export type ApplyActivity = {
  changes: number
  changesPerSecond: number
  quarantined: number
  /** From the commit in the source until the row was visible; null when nothing was measured. */
  commitToVisibleMs: Percentiles | null
}
