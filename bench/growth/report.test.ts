import { expect, test } from 'vitest'
import type { DrainRun } from '../drain/held-drain.ts'
import { describeGrowth } from './report.ts'

const runs = (...micros: number[]): DrainRun[] =>
  micros.map((backends) => ({
    seconds: 1,
    changesPerSecond: 2_000,
    microsPerChange: { 'apply function': 50, 'target backends': backends, measurement: 1_000 },
    load: 0.5,
    isEqual: true,
  }))

test('growth compares each size with the first one of its kind, turn by turn; what measures is not counted', () => {
  const tables = describeGrowth({
    changes: 10_000,
    historyRows: { before: 50_000, after: 150_000 },
    points: [
      { kind: 'size', tables: 1, rows: 10_000, runs: runs(50, 150) },
      { kind: 'size', tables: 1, rows: 1_000_000, runs: runs(100, 250) },
      { kind: 'tables', tables: 50, rows: 2_000, runs: runs(150, 150) },
    ],
  })

  expect(tables.map(({ title }) => title)).toEqual([
    'What a change costs by the rows of the table',
    'What a change costs by the number of tables',
  ])
  expect(tables[0]!.header.slice(-3)).toEqual(['µs in all', 'lowest to highest', '÷ the first'])
  expect(tables[0]!.rows).toEqual([
    ['1', '10,000', '2,000', '50', '0', '100', '0', '0', '150', '100 – 200', '1.00'],
    ['1', '1,000,000', '2,000', '50', '0', '175', '0', '0', '225', '150 – 300', '1.50'],
  ])
  expect(tables[1]!.rows).toEqual([['50', '2,000', '2,000', '50', '0', '150', '0', '0', '200', '200 – 200', '1.00']])
})
