import type pg from 'pg'
import { feedTrips } from '#commands/feed/taxi-feed.ts'
import { ApplyMetrics, type Percentiles } from '#localstack/metrics.ts'
import type { TestPipeline } from '#test-support/pipeline.ts'

/** Hears every line that the stack logs. */
export type LogListener = { onLog: (name: string, line: string) => void }

/**
 * From commit to visible, as the apply function measures it: the source's commit time of each change against the time
 * at which the transaction that wrote it had committed in the target.
 */
export async function measureLatency(
  pipeline: TestPipeline,
  source: pg.Client,
  listener: LogListener,
  load: { trips: string[]; rows: number; perSecond: number },
): Promise<Percentiles> {
  await pipeline.compare()
  const metrics = new ApplyMetrics(3_600_000, performance.now())
  listener.onLog = (_name, line) => metrics.take(line, performance.now())
  await feedTrips(source, load)
  await pipeline.compare()
  listener.onLog = () => undefined
  const { commitToVisibleMs } = metrics.activity(performance.now())
  if (commitToVisibleMs === null) throw new Error('the apply function measured nothing')
  return commitToVisibleMs
}
