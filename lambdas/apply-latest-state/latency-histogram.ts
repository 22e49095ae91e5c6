/** Latencies as CloudWatch's embedded metric format takes them: distinct values, and how often each occurred. */
export type Histogram = { readonly Values: readonly number[]; readonly Counts: readonly number[] }

/** Counts latencies in steps, which keep a metric below CloudWatch's limit of 100 values. Latencies are rounded up. */
export function histogramOf(latenciesMs: Iterable<number>): Histogram {
  const counts = new Map<number, number>()
  for (const latency of latenciesMs) {
    const step = stepOf(latency)
    const value = Math.max(Math.ceil(latency / step) * step, 0)
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  return { Values: [...counts.keys()], Counts: [...counts.values()] }
}

/** The step is half a millisecond below 10 ms, and grows with the value above. */
function stepOf(latencyMs: number): number {
  if (latencyMs < 10) return 0.5
  if (latencyMs < 50) return 2
  if (latencyMs < 200) return 10
  if (latencyMs < 1000) return 40
  return 10 ** Math.floor(Math.log10(latencyMs))
}
