import { expect, test } from 'vitest'
import { systemNames } from './drain.ts'
import { type DrainRun, rates } from './held-drain.ts'
import { describeDrain } from './report.ts'

const run = (changesPerSecond: number, isEqual = true): DrainRun => ({
  ...{ seconds: 1, changesPerSecond, load: 0.5, isEqual },
  microsPerChange: { 'apply function': 40, engine: 20, 'target backends': 30, 'schema registry': 5, measurement: 500 },
})

const drained = {
  ...{ workload: 'bench', summary: 'one table', rows: 100, changes: 283, capturedPerSecond: [15_000, 17_000] },
  systems: [
    { name: systemNames.historyOn, runs: [run(9_000), run(5_000)] },
    { name: systemNames.sinkOfFour, runs: [run(18_000), run(10_000, false)] },
    { name: systemNames.sinkOfOne, runs: [run(9_500), run(9_500)] },
    { name: systemNames.sinkOfAvro, runs: [run(15_000), run(12_000)] },
  ],
}

test('systems are in the order of their speed, beside the fastest sink of the same turn', () => {
  const [table] = describeDrain(drained)
  const column = table!.header.indexOf('÷ the fastest sink')

  expect(table!.rows.map((row) => [row[0], row[1], row[column]])).toEqual([
    [systemNames.sinkOfFour, '14,000', '1.00'],
    [systemNames.sinkOfAvro, '13,500', '1.02'],
    [systemNames.sinkOfOne, '9,500', '0.74'],
    [systemNames.historyOn, '7,000', '0.50'],
  ])
})

test('the engine is counted for Tidemark and not for a peer, and what measures for neither', () => {
  const [table] = describeDrain(drained)
  const inAll = Object.fromEntries(table!.rows.map((row) => [row[0], row.at(-1)]))

  expect(inAll[systemNames.historyOn]).toBe('90')
  expect(inAll[systemNames.sinkOfFour]).toBe('30')
})

test('the schema registry is counted for the sink that reads Avro, and for no other system', () => {
  const [table] = describeDrain(drained)
  const column = table!.header.indexOf('µs: function or JVM')
  const inJvm = Object.fromEntries(table!.rows.map((row) => [row[0], row[column]]))

  expect(inJvm[systemNames.sinkOfAvro]).toBe('5')
  expect(inJvm[systemNames.sinkOfFour]).toBe('0')
  expect(inJvm[systemNames.historyOn]).toBe('40')
})

test('a peer whose final state was another one is named', () => {
  const [table] = describeDrain(drained)

  expect(table!.notes!.join()).toContain(`${systemNames.sinkOfFour} in 1 of 2 runs`)
})

test('rates are those of the time and of the processor until the end', () => {
  const end = { at: 3_500, used: { engine: 0.5, kafka: 0.001 }, isEqual: true }

  expect(rates(end, { startedAt: 1_500, changes: 10_000 })).toEqual({
    seconds: 2,
    changesPerSecond: 5_000,
    microsPerChange: { engine: 50, kafka: 0.1 },
  })
})
