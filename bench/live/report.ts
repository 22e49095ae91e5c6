import type { ResultTable } from '../bench-command.ts'
import { spreadOf } from '../machine/statistics.ts'
import { type LiveResult, type LiveRun, liveNames } from './live.ts'
import { type Stage, stageNames } from './stages.ts'

const columns = [
  ['function', ['apply function', 'other functions']],
  ['engine', ['engine']],
  ['capture', ['connect']],
  ['capture and sink', ['sink worker']],
  ['target', ['target backends', 'target server']],
  ['source', ['source replication', 'source backends', 'source server']],
  ['broker', ['kafka']],
  ['archive store', ['object-store', 'iceberg-catalog']],
] as const

const ofTidemark = columns.flatMap(([, groups]) => groups.filter((group) => group !== 'sink worker'))
const ofSink = [
  'sink worker',
  'target backends',
  'target server',
  'source replication',
  'source backends',
  'source server',
  'kafka',
]

/** One table for each rate, and one of the stages. */
export function describeLive({ systems }: LiveResult): ResultTable[] {
  const rates = [...new Set(systems.flatMap(({ runs }) => runs.map(({ perSecond }) => perSecond)))]
  return rates.flatMap((rate) => {
    const at = systems
      .map(({ name, runs }) => ({ name, runs: runs.filter(({ perSecond }) => perSecond === rate) }))
      .toSorted(
        (a, b) => median(a.runs, ({ latencyMs }) => latencyMs.p50) - median(b.runs, ({ latencyMs }) => latencyMs.p50),
      )
    const loads = spreadOf(at.flatMap(({ runs }) => runs.map(({ load }) => load)))
    const whole = {
      title: `From commit to visible at ${rate.toLocaleString('en-US')} single-row commits a second`,
      header: [
        'system, fastest first',
        ...['p50 ms', 'p95 ms', 'p99 ms', 'visible/s'],
        ...columns.map(([name]) => `cores: ${name}`),
        'cores in all',
      ],
      rows: at.map(({ name, runs }) => {
        const own = name === liveNames.sink ? ofSink : ofTidemark
        return [
          name,
          ...(['p50', 'p95', 'p99'] as const).map((share) =>
            median(runs, ({ latencyMs }) => latencyMs[share]).toFixed(0),
          ),
          median(runs, ({ visiblePerSecond }) => visiblePerSecond).toFixed(0),
          ...columns.map(([, groups]) =>
            median(runs, coresOf(groups.filter((group) => own.includes(group)))).toFixed(2),
          ),
          median(runs, coresOf(own)).toFixed(2),
        ]
      }),
      notes: [
        'Measured from outside: from the answer to the commit until a reader that looks every 5 ms has the row. The reader and the writers are not counted.',
        `Medians of ${at[0]!.runs.length} runs in turns; load average before a run ${loads.least} – ${loads.most}.`,
      ],
    }
    const stages = at.flatMap(({ name, runs }) => stageRows(name, runs))
    if (stages.length === 0) return [whole]
    return [
      whole,
      {
        title: `Where the time goes at ${rate.toLocaleString('en-US')} single-row commits a second`,
        header: ['system', 'stage', 'p50 ms', 'p95 ms', 'p99 ms'],
        rows: stages,
        notes: [
          'In whole milliseconds, by what the record itself says. Medians of the same runs; percentiles do not add up.',
        ],
      },
    ]
  })
}

function stageRows(name: string, runs: readonly LiveRun[]): string[][] {
  const measured = runs.flatMap(({ stagesMs }) => (stagesMs === undefined ? [] : [stagesMs]))
  if (measured.length === 0) return []
  return (Object.keys(stageNames) as Stage[]).map((stage) => [
    name,
    stageNames[stage],
    ...(['p50', 'p95', 'p99'] as const).map((share) =>
      spreadOf(measured.map((times) => times[stage][share])).median.toFixed(0),
    ),
  ])
}

const median = (runs: readonly LiveRun[], value: (run: LiveRun) => number): number => spreadOf(runs.map(value)).median

const coresOf =
  (groups: readonly string[]) =>
  ({ cores }: LiveRun): number =>
    groups.reduce((sum, group) => sum + (cores[group] ?? 0), 0)
