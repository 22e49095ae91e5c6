import { expect, test } from 'vitest'
import { sinkNames } from './beside-sink.ts'
import { describeBesideSink } from './beside-sink-report.ts'
import { ratesOf, type TableDrain } from './measured-drain.ts'

const run = (recordsPerSecond: number): TableDrain => ({
  ...{ seconds: 1, recordsPerSecond, snapshots: 3, files: 9, bytes: 5_900, load: 0.5 },
  microsPerRecord: {
    functions: 40,
    pollers: 10,
    'sink worker': 20,
    kafka: 3,
    'object store': 4,
    catalog: 2,
    postgres: 1,
  },
})

const measured = {
  records: 100,
  systems: [
    { name: sinkNames.tidemark, runs: [run(30_000), run(10_000)] },
    { name: sinkNames.one, runs: [run(25_000), run(25_000)] },
    { name: sinkNames.four, runs: [run(40_000), run(20_000)] },
  ],
}

test('systems are in the order of their speed, beside the faster sink of the same turn', () => {
  const { header, rows } = describeBesideSink(measured)
  const column = header.indexOf('÷ the faster sink')

  expect(rows.map((row) => [row[0], row[1], row[column]])).toEqual([
    [sinkNames.four, '30,000', '1.00'],
    [sinkNames.one, '25,000', '0.94'],
    [sinkNames.tidemark, '20,000', '0.63'],
  ])
})

test('each system is counted with the processes that it needs, and with no others', () => {
  const { header, rows } = describeBesideSink(measured)
  const of = (name: string) =>
    Object.fromEntries(header.map((column, index) => [column, rows.find(([first]) => first === name)![index]]))

  expect(of(sinkNames.tidemark)).toMatchObject({
    'µs: function or JVM': '40',
    'µs: pollers': '10',
    'µs of the processor per record': '60',
  })
  expect(of(sinkNames.one)).toMatchObject({
    'µs: function or JVM': '20',
    'µs: pollers': '–',
    'µs of the processor per record': '29',
  })
})

test('rates are those of the time until the last commit, and of the processor', () => {
  expect(ratesOf({ ms: 2_000, used: { functions: 0.5, kafka: 0.001 }, records: 10_000 })).toEqual({
    seconds: 2,
    recordsPerSecond: 5_000,
    microsPerRecord: { functions: 50, kafka: 0.1 },
  })
})
