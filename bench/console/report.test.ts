import { expect, test } from 'vitest'
import type { DrainRun } from '../drain/held-drain.ts'
import type { MemorySample } from './memory.ts'
import { describeConsole, slopeOf } from './report.ts'

const run = (changesPerSecond: number, microsPerChange: DrainRun['microsPerChange']): DrainRun => ({
  ...{ seconds: 10, changesPerSecond, microsPerChange, load: 0.5, isEqual: true },
})

test('a part that was not measured has no table', () => {
  expect(describeConsole({})).toEqual([])
})

test('the cost is that of the pipeline in the same turn, without the console and what measures', () => {
  const own = { 'apply function': 20, engine: 10, 'target backends': 20 }
  const [table] = describeConsole({
    cost: {
      changes: 283_000,
      withoutPages: [run(10_000, own), run(20_000, own), run(30_000, own)],
      withPages: [
        run(9_800, { ...own, engine: 11, console: 5, 'console backends': 2, Chromium: 50, measurement: 9 }),
        run(19_000, { ...own, engine: 12, console: 5, 'console backends': 2, Chromium: 50, measurement: 9 }),
        run(29_400, { ...own, engine: 11, console: 5, 'console backends': 2, Chromium: 50, measurement: 9 }),
      ],
    },
  })

  expect(table!.rows).toEqual([
    ['two pages open', '19,000', '9,800 – 29,400', '0.980', '51.0', '1.020', '0.10', '0.04', '0.95'],
    ['no page open', '20,000', '10,000 – 30,000', '1.000', '50.0', '1.000', '0.00', '0.00', '0.00'],
  ])
  expect(table!.notes![0]).toContain('2.0 % fewer')
  expect(table!.notes![0]).toContain('at most 3 % is wanted: reached')
})

test('what is seen later than it has to be is marked', () => {
  const [table] = describeConsole({
    seen: {
      loads: [300, 100, 200].map((ms) => ({ firstPaintMs: ms, completeMs: 20 * ms, chartsMs: 30 * ms })),
      insertMs: [400, 600, 500],
      updateMs: [1_400, 1_600, 1_500],
    },
  })

  expect(table!.rows.map(([, ...figures]) => figures)).toEqual([
    ['200', '300', '300', 'p50 ≤ 1,000', 'reached'],
    ['4000', '6000', '6000', 'p50 ≤ 2,000', '**missed**'],
    ['6000', '9000', '9000', '–', ''],
    ['500', '600', '600', 'p95 ≤ 1,000', 'reached'],
    ['1500', '1600', '1600', 'p95 ≤ 1,000', '**missed**'],
  ])
})

test('memory that grows by more than a tenth over all minutes is marked', () => {
  const samples = [0, 1, 2, 3].map(
    (minute): MemorySample => ({
      ...{ minute, heapBytes: 10e6 + minute * 1e6, nodes: 1_000 + (minute % 2), serverBytes: 80e6 },
    }),
  )
  const [table] = describeConsole({
    memory: { perSecond: 1_000, committedPerSecond: 998, samples, says: 'live 20,000 changes' },
  })

  expect(table!.rows).toEqual([
    ['heap of the page, MB', '10.00', '13.00', '13.00', '1.000', '30.0 %', '**grows**'],
    ['nodes of its document', '1000', '1001', '1001', '0.2', '0.1 %', 'flat'],
    ['memory of the server, MB', '80.0', '80.0', '80.0', '0.00', '0.0 %', 'flat'],
  ])
})

test('the line through values fits best', () => {
  expect(slopeOf([0, 1, 2], [5, 7, 9])).toBe(2)
  expect(slopeOf([0, 1, 2], [5, 8, 5])).toBe(0)
})

test('routes are in the order in which they were asked', () => {
  const route = (what: string, p50: number) => ({
    ...{ what, requests: 20, ms: { p50, p95: 2 * p50, most: 3 * p50 }, bytes: 12_345, unfinished: 1 },
  })
  const [table] = describeConsole({
    routes: { tables: 1_000, changes: 1_000_000, historyBytes: 330e6, routes: [route('list', 90), route('tail', 5)] },
  })

  expect(table!.title).toContain('1,000 tables and 1,000,000 changes')
  expect(table!.rows).toEqual([
    ['list', '90', '180', '270', '12.3', '1'],
    ['tail', '5', '10', '15', '12.3', '1'],
  ])
})
