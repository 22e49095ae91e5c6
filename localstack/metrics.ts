import type { ApplyActivity, Percentiles } from '#core/status/apply-activity.ts'

type Sample = {
  atMs: number
  changes: number
  quarantined: number
  latencies: { values: readonly number[]; counts: readonly number[] }
}

/**
 * Collects the metrics that apply-latest-state prints in CloudWatch's embedded metric format, and sums those of the
 * last `keptMs`. Times are milliseconds of one clock.
 */
export class ApplyMetrics {
  readonly #keptMs: number
  readonly #startedMs: number
  #samples: Sample[] = []

  constructor(keptMs: number, nowMs: number) {
    this.#keptMs = keptMs
    this.#startedMs = nowMs
  }

  /** Takes a line of the function's log. A line that has no metrics is ignored. */
  take(line: string, nowMs: number): void {
    const sample = readSample(line, nowMs)
    if (sample !== undefined) this.#samples.push(sample)
  }

  /** The activity in the last `keptMs`, or since the start if that is shorter. */
  activity(nowMs: number): ApplyActivity {
    this.#samples = this.#samples.filter(({ atMs }) => atMs > nowMs - this.#keptMs)
    const sum = (count: (sample: Sample) => number) => this.#samples.reduce((total, each) => total + count(each), 0)
    const changes = sum((sample) => sample.changes)
    const seconds = Math.max(1, Math.min(this.#keptMs, nowMs - this.#startedMs)) / 1_000
    return {
      changes,
      changesPerSecond: changes / seconds,
      quarantined: sum((sample) => sample.quarantined),
      commitToVisibleMs: percentiles(this.#samples.map(({ latencies }) => latencies)),
    }
  }
}

function readSample(line: string, atMs: number): Sample | undefined {
  // Most lines have no metrics, so only lines that look like them are parsed.
  if (!line.startsWith('{"_aws":')) return undefined
  const metrics = JSON.parse(line)
  if (metrics.Capability !== 'latest-state') return undefined
  const latencies = { values: metrics.CommitToVisibleMs?.Values ?? [], counts: metrics.CommitToVisibleMs?.Counts ?? [] }
  return { atMs, changes: metrics.AppliedChanges, quarantined: metrics.QuarantinedRecords ?? 0, latencies }
}

function percentiles(histograms: Sample['latencies'][]): Percentiles | null {
  const counts = new Map<number, number>()
  for (const histogram of histograms) {
    histogram.values.forEach((value, index) => {
      counts.set(value, (counts.get(value) ?? 0) + histogram.counts[index]!)
    })
  }
  const ascending = [...counts].sort(([a], [b]) => a - b)
  const total = ascending.reduce((sum, [, count]) => sum + count, 0)
  if (total === 0) return null
  const at = (share: number) => {
    let seen = 0
    for (const [value, count] of ascending) {
      seen += count
      if (seen >= total * share) return value
    }
    return ascending.at(-1)![0]
  }
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}
