import type { ResultTable } from '../bench-command.ts'
import { pairedRatios, spreadOf } from '../machine/statistics.ts'
import { type DrainedBy, type DrainResult, isSink, systemNames } from './drain.ts'
import type { DrainRun } from './held-drain.ts'

/** Columns of processor time. Each is the sum of groups of processes. */
const columns = [
  ['function or JVM', ['apply function', 'sink worker', 'schema registry']],
  ['engine', ['engine', 'other functions']],
  ['backends', ['target backends', 'target replication']],
  ['target server', ['target server']],
  ['source', ['source replication', 'source backends', 'source server']],
  ['broker', ['kafka']],
] as const

export function describeDrain(measures: DrainResult): ResultTable[] {
  const { workload, summary, changes, systems, capturedPerSecond } = measures
  const ordered = systems.toSorted((a, b) => rateOf(b).median - rateOf(a).median)
  const reference = ordered.find(({ name }) => isSink(name))
  const captured = spreadOf(capturedPerSecond)
  return [
    {
      title: `Drain of ${count(changes)} changes, workload ${workload}`,
      header: [
        'system, fastest first',
        'changes/s, median',
        'lowest to highest',
        ...(reference ? ['÷ the fastest sink'] : []),
        ...columns.map(([name]) => `µs: ${name}`),
        'µs of the processor per change',
      ],
      rows: ordered.map((system) => {
        const { median, least, most } = rateOf(system)
        return [
          system.name,
          count(median),
          `${count(least)} – ${count(most)}`,
          ...(reference ? [spreadOf(pairedRatios(ratesOf(system), ratesOf(reference))).median.toFixed(2)] : []),
          ...columns.map(([, groups]) => describeMicros(system, groups)),
          describeMicros(
            system,
            columns.flatMap(([, groups]) => groups),
          ),
        ]
      }),
      notes: [
        `${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
        `Debezium put them on the topic at ${count(captured.median)} changes/s (${count(captured.least)} – ${count(captured.most)}), with nothing else running.`,
        `Runs of each: ${systems[0]!.runs.length}, in turns, ratios those of the same turn; load average before a run ${spreadOf(systems.flatMap(({ runs }) => runs.map(({ load }) => load))).least} – ${spreadOf(systems.flatMap(({ runs }) => runs.map(({ load }) => load))).most}. ${describeStates(systems)}`,
      ],
    },
  ]
}

function describeStates(systems: readonly DrainedBy[]): string {
  const wrong = systems.filter(({ runs }) => runs.some(({ isEqual }) => !isEqual))
  if (wrong.length === 0) return 'Every final state was that of the source.'
  const each = wrong.map(
    ({ name, runs }) => `${name} in ${runs.filter(({ isEqual }) => !isEqual).length} of ${runs.length} runs`,
  )
  return `**Final states that were not that of the source**: ${each.join('; ')}.`
}

const ratesOf = ({ runs }: DrainedBy): number[] => runs.map(({ changesPerSecond }) => changesPerSecond)

const rateOf = (system: DrainedBy) => spreadOf(ratesOf(system))

/**
 * The median of its runs. Processes that do not belong to the system are not counted: the engine only measures a peer,
 * and the registry idles.
 */
function describeMicros({ name, runs }: DrainedBy, groups: readonly string[]): string {
  const own = groups.filter((group) => isPartOf(name, group))
  if (own.length === 0) return '–'
  return spreadOf(runs.map((run) => sumOf(run, own))).median.toFixed(0)
}

function isPartOf(name: string, group: string): boolean {
  if (group === 'schema registry') return name === systemNames.sinkOfAvro
  return name.startsWith('Tidemark') || !ofTidemarkAlone.includes(group)
}

const ofTidemarkAlone: readonly string[] = ['apply function', 'engine', 'other functions']

const sumOf = ({ microsPerChange }: DrainRun, groups: readonly string[]): number =>
  groups.reduce((sum, group) => sum + (microsPerChange[group] ?? 0), 0)

const count = (value: number): string => Math.round(value).toLocaleString('en-US')
