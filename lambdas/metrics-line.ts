/** A metric of a run. It is left out when its value is undefined. */
export type Metric = {
  readonly name: string
  readonly unit: 'Count' | 'Bytes' | 'Seconds' | 'Milliseconds'
  readonly value: number | object | undefined
}

/** A log line in CloudWatch's embedded metric format, which CloudWatch turns into metrics of a capability. */
export function metricsLine(capability: string, nowMs: number, metrics: readonly Metric[]): string {
  const known = metrics.filter(({ value }) => value !== undefined)
  return JSON.stringify({
    _aws: {
      Timestamp: Math.round(nowMs),
      CloudWatchMetrics: [
        {
          Namespace: 'Tidemark',
          Dimensions: [['Capability']],
          Metrics: known.map(({ name: Name, unit: Unit }) => ({ Name, Unit })),
        },
      ],
    },
    Capability: capability,
    ...Object.fromEntries(known.map(({ name, value }) => [name, value])),
  })
}
