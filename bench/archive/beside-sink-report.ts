import type { ResultTable } from '../bench-command.ts'
import { pairedRatios, spreadOf } from '../machine/statistics.ts'
import { SINK_WORKER } from '../peers/peer-worker.ts'
import { type BesideSink, sinkNames } from './beside-sink.ts'
import type { TableDrain } from './measured-drain.ts'

type System = BesideSink['systems'][number]

/** Columns of processor time. Each is the sum of groups of processes. */
const columns = [
  ['function or JVM', ['functions', SINK_WORKER]],
  ['pollers', ['pollers']],
  ['broker', ['kafka']],
  ['object store, catalog, Postgres', ['object store', 'catalog', 'postgres']],
] as const

export function describeBesideSink({ records, systems }: BesideSink): ResultTable {
  const ordered = systems.toSorted((a, b) => rateOf(b).median - rateOf(a).median)
  const reference = ordered.find(({ name }) => name !== sinkNames.tidemark)!
  const loads = spreadOf(systems.flatMap(({ runs }) => runs.map(({ load }) => load)))
  return {
    title: `Archive of ${count(records)} records beside Iceberg's sink`,
    header: [
      'system, fastest first',
      'records/s, median',
      'lowest to highest',
      '÷ the faster sink',
      ...columns.map(([name]) => `µs: ${name}`),
      'µs of the processor per record',
      'data files',
      'bytes per record',
    ],
    rows: ordered.map((system) => {
      const { median, least, most } = rateOf(system)
      return [
        system.name,
        count(median),
        `${count(least)} – ${count(most)}`,
        spreadOf(pairedRatios(ratesOf(system), ratesOf(reference))).median.toFixed(2),
        ...columns.map(([, groups]) => describeMicros(system, groups)),
        describeMicros(
          system,
          columns.flatMap(([, groups]) => groups),
        ),
        count(spreadOf(system.runs.map(({ files }) => files)).median),
        spreadOf(system.runs.map(({ bytes }) => bytes / records)).median.toFixed(0),
      ]
    }),
    notes: [
      'The same records of some 632 bytes of JSON, from a topic of 4 topic partitions that was filled beforehand, into a table of the same catalog and object store.',
      "Iceberg's sink keeps each value as one string beside topic, topic partition, offset and timestamp (StringConverter, HoistField, InsertField), in a table without partitions. archive-changes also keeps key, headers and bytes that are no text, takes table, operation and position out of the JSON, sorts the rows, and has a table partition for each day.",
      'Both commit every second. The time ends with the table snapshot that has all records, so that the wait for the last commit is in it for both. It begins for the sink when its consumers, already running, see the records; for archive-changes when its pollers join their group. JVM and functions are warm.',
      'The pollers stand in for those of AWS, which the sink has no use for; what measures is counted among them.',
      `Runs of each: ${systems[0]!.runs.length}, in turns, ratios those of the same turn; load average before a run ${loads.least} – ${loads.most}. Every table had as many records as the topic.`,
    ],
  }
}

const ratesOf = ({ runs }: System): number[] => runs.map(({ recordsPerSecond }) => recordsPerSecond)

const rateOf = (system: System) => spreadOf(ratesOf(system))

/**
 * The median of its runs. Processes that do not belong to the system are not counted, because they only wait or
 * measure.
 */
function describeMicros({ name, runs }: System, groups: readonly string[]): string {
  const foreign: readonly string[] = name === sinkNames.tidemark ? [SINK_WORKER] : ['functions', 'pollers', 'postgres']
  const own = groups.filter((group) => !foreign.includes(group))
  if (own.length === 0) return '–'
  return spreadOf(runs.map((run) => sumOf(run, own))).median.toFixed(0)
}

const sumOf = ({ microsPerRecord }: TableDrain, groups: readonly string[]): number =>
  groups.reduce((sum, group) => sum + (microsPerRecord[group] ?? 0), 0)

const count = (value: number): string => Math.round(value).toLocaleString('en-US')
