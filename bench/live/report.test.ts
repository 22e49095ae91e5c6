import { expect, test } from 'vitest'
import { type LiveRun, liveNames } from './live.ts'
import { describeLive } from './report.ts'

const run = (perSecond: number, p50: number): LiveRun => ({
  ...{ perSecond, committedPerSecond: perSecond, visiblePerSecond: perSecond, load: 0.5 },
  latencyMs: { p50, p95: 2 * p50, p99: 3 * p50, most: 4 * p50 },
  cores: { 'apply function': 0.5, connect: 0.25, 'sink worker': 0.5, kafka: 0.125, measurement: 1 },
})

test('each rate is a table, its systems in the order of their median, each with the cores that are its own', () => {
  const tables = describeLive({
    systems: [
      { name: liveNames.whole, runs: [run(100, 90), run(1_000, 180), run(100, 80), run(1_000, 170)] },
      { name: liveNames.sink, runs: [run(100, 20), run(1_000, 190), run(100, 30), run(1_000, 180)] },
    ],
  })

  expect(tables.map(({ title, rows }) => [title, rows.map(([name, p50]) => [name, p50])])).toEqual([
    [
      'From commit to visible at 100 single-row commits a second',
      [
        [liveNames.sink, '25'],
        [liveNames.whole, '85'],
      ],
    ],
    [
      'From commit to visible at 1,000 single-row commits a second',
      [
        [liveNames.whole, '175'],
        [liveNames.sink, '185'],
      ],
    ],
  ])
  expect(tables[0]!.rows.map((row) => row.at(-1))).toEqual(['0.63', '0.88'])
})
