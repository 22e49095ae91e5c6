import { expect, test } from 'vitest'
import { describeWindows } from './report.ts'
import type { CostRun } from './windows-cost.ts'

const run = (apply: number, windows: number): CostRun => {
  const drain = (microsPerChange: Record<string, number>) => ({
    ...{ seconds: 1, changesPerSecond: 2_000, load: 0.5, isEqual: true },
    microsPerChange: { ...microsPerChange, measurement: 1_000 },
  })
  return {
    apply: drain({ 'apply function': 20, 'target backends': apply - 20 }),
    windows: drain({ 'windows function': 10, 'windows backends': windows - 10 }),
  }
}

test('windows are compared with apply turn by turn; what measures is not counted', () => {
  const tables = describeWindows({
    ...{ trips: 60_000, taxi: [run(40, 20), run(80, 60), run(100, 100)], perSecond: 100 },
    growth: [
      { groups: 1_000, changes: 1_000, runs: [run(40, 50)] },
      { groups: 1_000_000, changes: 10_000, runs: [run(40, 60)] },
    ],
    latency: [{ rowMs: { p50: 10, p99: 20 }, windowMs: { p50: 24.6, p99: 50 }, cores: 0.25 }],
  })

  expect(tables[0]!.rows).toEqual([
    ['apply', '2,000', '20', '60', '80', '40 – 100', '1.00'],
    ['windows', '2,000', '10', '50', '60', '20 – 100', '0.75'],
  ])
  expect(tables[1]!.rows).toEqual([
    ['1,000', '1,000', '10', '40', '50', '50 – 50', '1.00'],
    ['1,000,000', '10,000', '10', '50', '60', '60 – 60', '1.20'],
  ])
  expect(tables[2]!.rows).toEqual([
    ['the row of the table', '10', '20'],
    ['the row of the windows', '25', '50'],
  ])
  expect(tables[2]!.notes?.[1]).toContain('0.25 cores')
})
