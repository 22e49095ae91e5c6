import fc from 'fast-check'
import { expect, test } from 'vitest'
import { histogramOf } from '#lambdas/apply-latest-state/latency-histogram.ts'
import { ApplyMetrics, readApplyWork } from './metrics.ts'

const line = (metrics: object) =>
  JSON.stringify({ _aws: { Timestamp: 1, CloudWatchMetrics: [] }, Capability: 'latest-state', ...metrics })

/** Takes a line of the log as the engine does. */
function take(metrics: ApplyMetrics, text: string, atMs: number): void {
  const work = readApplyWork(text)
  if (work !== undefined) metrics.take(work, atMs)
}

const noStages = { capture: null, topic: null, mapping: null, apply: null }

test('the changes of the last ten seconds are summed up, with their latencies', () => {
  const metrics = new ApplyMetrics(10_000, 0)

  take(metrics, line({ AppliedChanges: 900, CommitToVisibleMs: { Values: [5_000], Counts: [900] } }), 1_000)
  take(metrics, line({ AppliedChanges: 60, CommitToVisibleMs: { Values: [8, 20], Counts: [50, 10] } }), 15_000)
  take(
    metrics,
    line({ AppliedChanges: 40, QuarantinedRecords: 2, CommitToVisibleMs: { Values: [8, 90], Counts: [39, 1] } }),
    19_000,
  )

  expect(metrics.activity(20_000)).toEqual({
    changes: 100,
    changesPerSecond: 10,
    quarantined: 2,
    commitToVisibleMs: { p50: 8, p95: 20, p99: 20 },
    stagesMs: noStages,
  })
})

test('stages have percentiles of their own', () => {
  const metrics = new ApplyMetrics(10_000, 0)
  const stage = (ms: number) => ({ Values: [ms], Counts: [1] })

  take(metrics, line({ AppliedChanges: 1, CaptureMs: stage(2), TopicMs: stage(4), MappingMs: stage(5) }), 1)
  take(metrics, line({ AppliedChanges: 1, CaptureMs: stage(3), TopicMs: stage(4), ApplyMs: stage(6) }), 2)

  expect(metrics.activity(3).stagesMs).toEqual({
    capture: { p50: 2, p95: 3, p99: 3 },
    topic: { p50: 4, p95: 4, p99: 4 },
    mapping: { p50: 5, p95: 5, p99: 5 },
    apply: { p50: 6, p95: 6, p99: 6 },
  })
})

test('before ten seconds have passed the rate is of the time there was', () => {
  const metrics = new ApplyMetrics(10_000, 100_000)

  take(metrics, line({ AppliedChanges: 200 }), 101_000)

  expect(metrics.activity(102_000)).toMatchObject({ changesPerSecond: 100, commitToVisibleMs: null })
})

test('lines that are not metrics of the capability are passed over', () => {
  const metrics = new ApplyMetrics(10_000, 0)

  for (const other of [
    '',
    'START RequestId: 1',
    '{"level":"info"}',
    line({ Capability: 'archive', AppliedChanges: 9 }),
  ]) {
    take(metrics, other, 1)
  }

  expect(metrics.activity(2).changes).toBe(0)
})

test('percentiles are those of all latencies, up to the steps the function rounds them up to', () => {
  const latency = fc.integer({ min: 1, max: 3_000 })
  const invocations = fc.array(fc.array(latency, { minLength: 1, maxLength: 50 }), { minLength: 1, maxLength: 20 })

  fc.assert(
    fc.property(invocations, (batches) => {
      const metrics = new ApplyMetrics(10_000, 0)
      for (const batch of batches) {
        take(metrics, line({ AppliedChanges: batch.length, CommitToVisibleMs: histogramOf(batch) }), 1)
      }

      const all = batches.flat().sort((a, b) => a - b)
      const reported = metrics.activity(2).commitToVisibleMs!
      for (const [name, share] of [
        ['p50', 0.5],
        ['p95', 0.95],
        ['p99', 0.99],
      ] as const) {
        const exact = all[Math.ceil(all.length * share) - 1]!
        expect(histogramOf([exact]).Values).toEqual([reported[name]])
      }
    }),
  )
})
