import { describe, expect, test } from 'vitest'
import { eachStage, type Latencies } from './latencies.ts'
import { LatencyHistory } from './latency-history.ts'

const noon = Date.UTC(2026, 10, 29, 12)
const minutes = (count: number) => count * 60_000

/** What an invocation has measured: so many changes with one latency, and the newest with the same time in each stage. */
const measured = (ms: number, changes = 1): Latencies => ({
  commitToVisible: { values: [ms], counts: [changes] },
  stages: eachStage(() => ({ values: [ms], counts: [1] })),
})

/** Describes a history at noon, of invocations that were measured so many minutes before. */
function describeAtNoon(...invocations: { ago: number; ms: number; changes?: number }[]) {
  const history = new LatencyHistory()
  for (const { ago, ms, changes } of invocations) history.take(measured(ms, changes), noon - minutes(ago))
  return history.describe(noon)
}

describe('given changes of the last hour', () => {
  test('when they are described, then each minute that has changes is a point of its own', () => {
    const { series } = describeAtNoon(
      { ago: 2, ms: 10, changes: 98 },
      { ago: 2, ms: 90, changes: 2 },
      { ago: 0, ms: 8 },
    )

    expect(series).toEqual([
      { atMs: noon - minutes(2), p50: 10, p95: 10, p99: 90, changes: 100 },
      { atMs: noon, p50: 8, p95: 8, p99: 8, changes: 1 },
    ])
  })

  test('when they are described, then the day has their percentiles, and those of each stage', () => {
    const { lastDay } = describeAtNoon({ ago: 3, ms: 90, changes: 2 }, { ago: 1, ms: 10, changes: 98 })

    const ofStage = { p50: 10, p95: 90, p99: 90 }
    expect(lastDay).toEqual({
      commitToVisibleMs: { p50: 10, p95: 10, p99: 90 },
      stagesMs: { capture: ofStage, topic: ofStage, mapping: ofStage, apply: ofStage },
    })
  })
})

describe('given changes of a whole day, one in each minute', () => {
  const everyMinute = Array.from({ length: 1_441 }, (_, ago) => ({ ago, ms: 5 })).reverse()

  test('when they are described, then no change is in two points, and none of the kept day is left out', () => {
    const { series } = describeAtNoon(...everyMinute)

    const times = series.map(({ atMs }) => atMs)
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
    // At noon the last ten minutes have only begun, so the day has 143 times ten minutes before them.
    expect(times[0]).toBe(noon - minutes(1_430))
    expect(series.reduce((sum, { changes }) => sum + changes, 0)).toBe(1_431)
    expect(series.filter(({ changes }) => changes === 1)).toHaveLength(61)
    expect(series.filter(({ changes }) => changes === 10)).toHaveLength(137)
  })

  test('when it is another minute of the hour, then the last hour is by the minute as well', () => {
    const history = new LatencyHistory()
    for (const { ago, ms } of everyMinute) history.take(measured(ms), noon + minutes(7 - ago))

    const { series } = history.describe(noon + minutes(7))

    expect(series.filter(({ changes }) => changes === 1).map(({ atMs }) => atMs)[0]).toBe(noon - minutes(60))
    expect(series.filter(({ changes }) => changes === 1)).toHaveLength(68)
    expect(series.filter(({ changes }) => changes === 10)).toHaveLength(137)
  })
})

describe('given changes that are older than a day', () => {
  test('when they are described, then they are gone, also if nothing came since', () => {
    expect(describeAtNoon({ ago: 1_441, ms: 9 })).toEqual({
      lastDay: { commitToVisibleMs: null, stagesMs: eachStage(() => null) },
      series: [],
    })
  })
})

describe('given a clock that was ahead', () => {
  test('when it is set back, then what was measured meanwhile is gone, and later changes are kept', () => {
    const history = new LatencyHistory()
    history.take(measured(9), noon + minutes(100_000))
    history.take(measured(5), noon)

    expect(history.describe(noon).series).toEqual([{ atMs: noon, p50: 5, p95: 5, p99: 5, changes: 1 }])
  })
})

describe('given invocations without streamed changes', () => {
  test('when they are described, then there is no point', () => {
    const history = new LatencyHistory()
    const nothing = { values: [], counts: [] }
    history.take({ commitToVisible: nothing, stages: eachStage(() => nothing) }, noon)

    expect(history.describe(noon).series).toEqual([])
  })
})
