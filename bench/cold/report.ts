import type { ResultTable } from '../bench-command.ts'
import { spreadOf } from '../machine/statistics.ts'
import type { FunctionMemory } from './function-memory.ts'

export type ColdMeasures = {
  /** Milliseconds from commit to visible for each run: with a running process, and after all processes were killed. */
  readonly warmMs: readonly number[]
  readonly coldMs: readonly number[]
  readonly memory: FunctionMemory
}

export function describeCold({ warmMs, coldMs, memory }: ColdMeasures): ResultTable[] {
  const rows = [
    ['a process is there', warmMs],
    ['its processes have just been killed', coldMs],
    ['the first invocation more than the one before', coldMs.map((ms, run) => ms - warmMs[run]!)],
  ] as const
  return [
    {
      title: 'First invocation of apply-latest-state',
      header: ['from commit to visible', 'median ms', 'lowest to highest'],
      rows: rows.map(([what, ms]) => {
        const { median, least, most } = spreadOf(ms)
        return [what, median.toFixed(0), `${least} – ${most}`]
      }),
      notes: [`${warmMs.length} times each, in turns; looked at every 5 ms.`],
    },
    {
      title: 'Memory of a process of apply-latest-state',
      header: ['after', 'most resident, MB'],
      rows: [
        [`${count(memory.rows.large)} rows of 1 MB`, megabytes(memory.ofLargeRows)],
        [`${count(memory.rows.small)} small rows as well`, megabytes(memory.ofSmallRows)],
      ],
    },
  ]
}

const count = (value: number): string => value.toLocaleString('en-US')
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)
