import type { ApplyActivity } from '#core/status/apply-activity.ts'
import {
  eachStage,
  type Histogram,
  LATENCY_METRIC,
  type Latencies,
  LatencyTotals,
  STAGE_METRICS,
} from '#core/status/latencies.ts'

/** What an invocation of apply-latest-state has done, as it prints it in CloudWatch's embedded metric format. */
export type ApplyWork = { readonly changes: number; readonly quarantined: number; readonly latencies: Latencies }

/** Reads a line of the function's log. Undefined if the line has no metrics of the function. */
export function readApplyWork(line: string): ApplyWork | undefined {
  // Most lines have no metrics, so only lines that look like them are parsed.
  if (!line.startsWith('{"_aws":')) return undefined
  const metrics = JSON.parse(line)
  if (metrics.Capability !== 'latest-state') return undefined
  const histogramOf = (metric: string): Histogram => ({
    values: metrics[metric]?.Values ?? [],
    counts: metrics[metric]?.Counts ?? [],
  })
  const latencies = {
    commitToVisible: histogramOf(LATENCY_METRIC),
    stages: eachStage((stage) => histogramOf(STAGE_METRICS[stage])),
  }
  return { changes: metrics.AppliedChanges, quarantined: metrics.QuarantinedRecords ?? 0, latencies }
}

/** Sums the work of apply-latest-state in the last `keptMs`. Times are milliseconds of one clock. */
export class ApplyMetrics {
  readonly #keptMs: number
  readonly #startedMs: number
  #samples: (ApplyWork & { readonly atMs: number })[] = []

  constructor(keptMs: number, nowMs: number) {
    this.#keptMs = keptMs
    this.#startedMs = nowMs
  }

  /** Takes what an invocation has done. */
  take(work: ApplyWork, nowMs: number): void {
    this.#samples.push({ ...work, atMs: nowMs })
  }

  /** The activity in the last `keptMs`, or since the start if that is shorter. */
  activity(nowMs: number): ApplyActivity {
    this.#samples = this.#samples.filter(({ atMs }) => atMs > nowMs - this.#keptMs)
    const sum = (count: (work: ApplyWork) => number) => this.#samples.reduce((total, each) => total + count(each), 0)
    const changes = sum((work) => work.changes)
    const seconds = Math.max(1, Math.min(this.#keptMs, nowMs - this.#startedMs)) / 1_000
    const totals = new LatencyTotals()
    for (const { latencies } of this.#samples) totals.add(latencies)
    return {
      changes,
      changesPerSecond: changes / seconds,
      quarantined: sum((work) => work.quarantined),
      ...totals.percentiles(),
    }
  }
}
