import type { ResultTable } from '../bench-command.ts'
import type { DrainRun } from '../drain/held-drain.ts'
import { pairedRatios, spreadOf } from '../machine/statistics.ts'
import type { WindowsResult } from './windows-bench.ts'
import type { CostRun } from './windows-cost.ts'

const groupsOf = {
  apply: ['apply function', 'target backends'],
  windows: ['windows function', 'windows backends'],
} as const

type Consumer = keyof typeof groupsOf

/** What windows cost beside apply, by the number of groups, and how much later than the rows they are visible. */
export function describeWindows({ trips, taxi, growth, perSecond, latency }: WindowsResult): ResultTable[] {
  const loads = spreadOf(taxi.flatMap(({ apply, windows }) => [apply.load, windows.load]))
  return [
    {
      title: 'What windows cost beside apply',
      header: ['consumer', 'changes/s', 'µs: function', 'µs: backends', 'µs in both', 'lowest to highest', '÷ apply'],
      rows: (['apply', 'windows'] as const).map((consumer) => costRow(taxi, consumer)),
      notes: [
        `${count(trips)} taxi trips in the order of their files, and a correction of every third one, by the definition that ships. Medians of ${taxi.length} runs in turns; load average before a run ${loads.least} – ${loads.most}. Every result was that of batch SQL.`,
        'A function and the sessions of its role are counted. Broker, pollers and the server’s own processes are not.',
      ],
    },
    {
      title: 'What windows cost by the number of groups',
      header: ['groups', 'changes', 'µs: function', 'µs: backends', 'µs in both', 'lowest to highest', '÷ the first'],
      rows: growth.map(({ groups, changes, runs }) => {
        const inBoth = micros(runs, 'windows')
        const { median, least, most } = spreadOf(inBoth)
        const first = micros(growth[0]!.runs, 'windows')
        return [
          ...[count(groups), count(changes), ...partsOf(runs, 'windows'), median.toFixed(0)],
          ...[`${least.toFixed(0)} – ${most.toFixed(0)}`, (median / spreadOf(first).median).toFixed(2)],
        ]
      }),
      notes: ['Updates of rows that are each in a group of their own.'],
    },
    {
      title: `From commit to visible at ${count(perSecond)} single-row commits a second, in tables and in windows`,
      header: ['what', 'p50 ms', 'p99 ms'],
      rows: (['rowMs', 'windowMs'] as const).map((what) => [
        what === 'rowMs' ? 'the row of the table' : 'the row of the windows',
        ...(['p50', 'p99'] as const).map((share) => spreadOf(latency.map((run) => run[what][share])).median.toFixed(0)),
      ]),
      notes: [
        `Medians of ${latency.length} runs of each in turns, in one stack. A reader looks every 5 ms.`,
        `The windows' function and its sessions used ${spreadOf(latency.map(({ cores }) => cores)).median.toFixed(2)} cores meanwhile.`,
      ],
    },
  ].filter(({ rows }) => rows.length > 0)
}

function costRow(runs: readonly CostRun[], consumer: Consumer): string[] {
  const inBoth = micros(runs, consumer)
  const { median, least, most } = spreadOf(inBoth)
  return [
    consumer,
    count(spreadOf(runs.map((run) => run[consumer].changesPerSecond)).median),
    ...partsOf(runs, consumer),
    median.toFixed(0),
    `${least.toFixed(0)} – ${most.toFixed(0)}`,
    spreadOf(pairedRatios(inBoth, micros(runs, 'apply'))).median.toFixed(2),
  ]
}

const partsOf = (runs: readonly CostRun[], consumer: Consumer): string[] =>
  groupsOf[consumer].map((group) => spreadOf(runs.map((run) => microsOf(run[consumer], group))).median.toFixed(0))

/** Microseconds of function and backends for a change, of each run. */
const micros = (runs: readonly CostRun[], consumer: Consumer): number[] =>
  runs.map((run) => groupsOf[consumer].reduce((sum, group) => sum + microsOf(run[consumer], group), 0))

const microsOf = ({ microsPerChange }: DrainRun, group: string): number => microsPerChange[group] ?? 0

const count = (value: number): string => Math.round(value).toLocaleString('en-US')
