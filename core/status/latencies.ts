// How long did changes take from their commit until they were visible, and in which stage?

/** Latencies in milliseconds: half of all changes took no longer than p50, and so on. */
export type Percentiles = { p50: number; p95: number; p99: number }

/**
 * The stages of a change in their order, each with the metric of apply-latest-state that measures it. A stage begins
 * where the one before it ends.
 */
export const STAGE_METRICS = {
  /** From the commit in the source until Debezium has read the change from the log. */
  capture: 'CaptureMs',
  /** Until Connect sends the record to the broker, which is the record's timestamp. */
  topic: 'TopicMs',
  /** Until the event source mapping has invoked the function with it. */
  mapping: 'MappingMs',
  /** Until its row is visible in the target. */
  apply: 'ApplyMs',
} as const

/** The metric for all stages together, which is measured for every change. */
export const LATENCY_METRIC = 'CommitToVisibleMs'

export type Stage = keyof typeof STAGE_METRICS

const stages = Object.keys(STAGE_METRICS) as Stage[]

/** A value for each stage. */
export const eachStage = <T>(make: (stage: Stage) => T): Record<Stage, T> =>
  Object.fromEntries(stages.map((stage) => [stage, make(stage)])) as Record<Stage, T>

/** Latencies in milliseconds, and how often each was measured. */
export type Histogram = { readonly values: readonly number[]; readonly counts: readonly number[] }

/** What an invocation has measured. `stages` are of the newest change of each topic partition only. */
export type Latencies = { readonly commitToVisible: Histogram; readonly stages: Readonly<Record<Stage, Histogram>> }

/** The latencies of a period of time; null where nothing was measured. */
export type LatencyPercentiles = {
  /** From the commit in the source until the row was visible. */
  commitToVisibleMs: Percentiles | null
  stagesMs: Record<Stage, Percentiles | null>
}

/** Counts latencies. It has as many entries as there are distinct latencies. */
class LatencyCounts {
  readonly #counts = new Map<number, number>()
  #total = 0

  add(latencyMs: number, count: number): void {
    this.#counts.set(latencyMs, (this.#counts.get(latencyMs) ?? 0) + count)
    this.#total += count
  }

  get total(): number {
    return this.#total
  }

  take({ values, counts }: Histogram): void {
    values.forEach((value, index) => {
      this.add(value, counts[index] ?? 0)
    })
  }

  merge(other: LatencyCounts): void {
    for (const [value, count] of other.#counts) this.add(value, count)
  }

  percentiles(): Percentiles | null {
    if (this.#total === 0) return null
    const ascending = [...this.#counts].sort(([a], [b]) => a - b)
    const at = (share: number) => {
      let seen = 0
      for (const [value, count] of ascending) {
        seen += count
        if (seen >= this.#total * share) return value
      }
      return ascending.at(-1)![0]
    }
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
  }
}

/** The latencies of many invocations. Its size is bounded by the steps to which the function rounds latencies. */
export class LatencyTotals {
  readonly #commitToVisible = new LatencyCounts()
  readonly #stages = eachStage(() => new LatencyCounts())
  /** A period that is over is described many times, and its percentiles stay what they are. */
  #percentiles: LatencyPercentiles | undefined

  /** Adds what an invocation has measured. */
  add({ commitToVisible, stages }: Latencies): void {
    this.#percentiles = undefined
    this.#commitToVisible.take(commitToVisible)
    eachStage((stage) => this.#stages[stage].take(stages[stage]))
  }

  /** Adds the totals of another period. */
  merge(other: LatencyTotals): void {
    this.#percentiles = undefined
    this.#commitToVisible.merge(other.#commitToVisible)
    eachStage((stage) => this.#stages[stage].merge(other.#stages[stage]))
  }

  /** The number of changes of which the latency is known. */
  get changes(): number {
    return this.#commitToVisible.total
  }

  percentiles(): LatencyPercentiles {
    this.#percentiles ??= {
      commitToVisibleMs: this.#commitToVisible.percentiles(),
      stagesMs: eachStage((stage) => this.#stages[stage].percentiles()),
    }
    return this.#percentiles
  }
}
