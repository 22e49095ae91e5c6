/** Latencies in the form CloudWatch's embedded metric format takes: distinct values and how often each occurred. */
export type Histogram = { readonly Values: readonly number[]; readonly Counts: readonly number[] }

/** Counts latencies in steps that keep a metric below CloudWatch's 100 values, rounding up, never down. */
export function histogramOf(latenciesMs: Iterable<number>): Histogram {
  const counts = new Map<number, number>()
  for (const latency of latenciesMs) {
    const step = stepOf(latency)
    const value = Math.max(Math.ceil(latency / step) * step, 0)
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  return { Values: [...counts.keys()], Counts: [...counts.values()] }
}

/** Half a millisecond below 10 ms, then steps that grow with the value. */
function stepOf(latencyMs: number): number {
  if (latencyMs < 10) return 0.5
  if (latencyMs < 50) return 2
  if (latencyMs < 200) return 10
  if (latencyMs < 1000) return 40
  return 10 ** Math.floor(Math.log10(latencyMs))
}
