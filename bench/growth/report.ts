import type { ResultTable } from '../bench-command.ts'
import { pairedRatios, spreadOf } from '../machine/statistics.ts'
import type { GrowthPoint, GrowthResult } from './growth.ts'

const parts = [
  ['function', ['apply function']],
  ['engine', ['engine', 'other functions']],
  ['backends', ['target backends']],
  ['target server', ['target server']],
  ['broker', ['kafka']],
] as const

const allGroups = parts.flatMap(([, groups]) => groups)

/** One table for the sizes and one for the numbers of tables. Each figure is beside that of the first point. */
export function describeGrowth({ changes, historyRows, points }: GrowthResult): ResultTable[] {
  const [bySize, byTables] = (['size', 'tables'] as const).map((kind) => points.filter((each) => each.kind === kind))
  const runs = points[0]!.runs.length
  const load = spreadOf(points.flatMap((point) => point.runs.map((run) => run.load)))
  const notes = [
    `${count(changes)} updates a run, each of another row. Medians of ${runs} runs of each in turns, ratios of those of the same turn; load average before a run ${load.least} – ${load.most}.`,
    'What is fetched and decoded before the first write, here nearly everything, is not counted: it does not depend on the target.',
    `All points share one history, of ${count(historyRows.before)} rows before the first run and of ${count(historyRows.after)} after the last. Every final state was that of the source.`,
  ]
  return [
    { title: 'What a change costs by the rows of the table', ...describePoints(bySize!), notes },
    { title: 'What a change costs by the number of tables', ...describePoints(byTables!), notes: [] },
  ].filter(({ rows }) => rows.length > 0)
}

function describePoints(points: readonly GrowthPoint[]): Pick<ResultTable, 'header' | 'rows'> {
  return {
    header: [
      'tables',
      'rows of each',
      'changes/s',
      ...parts.map(([name]) => `µs: ${name}`),
      'µs in all',
      'lowest to highest',
      '÷ the first',
    ],
    rows: points.map((point) => {
      const inAll = micros(point, allGroups)
      const { median, least, most } = spreadOf(inAll)
      return [
        count(point.tables),
        count(point.rows),
        count(spreadOf(point.runs.map(({ changesPerSecond }) => changesPerSecond)).median),
        ...parts.map(([, groups]) => spreadOf(micros(point, groups)).median.toFixed(0)),
        median.toFixed(0),
        `${least.toFixed(0)} – ${most.toFixed(0)}`,
        spreadOf(pairedRatios(inAll, micros(points[0]!, allGroups))).median.toFixed(2),
      ]
    }),
  }
}

/** Microseconds of each run, in the order of the turns. */
const micros = ({ runs }: GrowthPoint, groups: readonly string[]): number[] =>
  runs.map(({ microsPerChange }) => groups.reduce((sum, group) => sum + (microsPerChange[group] ?? 0), 0))

const count = (value: number): string => Math.round(value).toLocaleString('en-US')
