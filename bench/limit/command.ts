import { parseArgs } from 'node:util'
import type { BenchCommand, ResultTable } from '../bench-command.ts'
import { spreadOf } from '../machine/statistics.ts'
import { readCount } from '../options.ts'
import { type DecodeResult, measureDecoding } from './decode.ts'
import { measureStatements, type StatementRates } from './statements.ts'

const help = `npm run bench -- limit [--rows N] [--runs N] [--save] [--json]

What parts of the way reach by themselves, with no stack around them: the statements of the workload, upserts of batches and a
COPY on one connection of a Postgres that does nothing else; and the changes that a second of one core reads, decodes and
reduces to one write per row.
  --rows      rows of the workload (100000)
  --runs      times that each is run (5)
  --save      keeps the result in bench/results and rewrites bench/README.md
  --json      prints the result as JSON`

type LimitMeasures = { statements: StatementRates; decoded: DecodeResult }

export const limit: BenchCommand = {
  name: 'limit',
  help,
  async run(argv, onProgress) {
    const { values } = parseArgs({
      args: argv,
      options: { rows: { type: 'string', default: '100000' }, runs: { type: 'string', default: '5' } },
    })
    const [rows, runs] = [readCount('--rows', values.rows), readCount('--runs', values.runs)]
    onProgress('decoding')
    const decoded = measureDecoding()
    const statements = await measureStatements({ rows, runs }, onProgress)
    const measures: LimitMeasures = { statements, decoded }
    return { file: 'limit', configuration: { Postgres: 'shared_buffers of 64 MB, fsync on' }, measures }
  },
  describe: describeLimit,
}

const labels: Record<keyof StatementRates, string> = {
  workload: 'the transactions of the workload bench, changes/s',
  upsertNew: 'upsert of 5,000 rows given as arrays, none there, rows/s',
  upsertExisting: 'the same, each there',
  copy: 'binary COPY into a table with a key, rows/s',
}

function describeLimit({ statements, decoded }: LimitMeasures): ResultTable[] {
  const count = (value: number) => Math.round(value).toLocaleString('en-US')
  return [
    {
      title: 'What the parts reach by themselves',
      header: ['what, on one connection', 'median', 'lowest to highest'],
      rows: [
        ...(Object.keys(labels) as (keyof StatementRates)[]).map((name) => {
          const { median, least, most } = spreadOf(statements[name])
          return [labels[name], count(median), `${count(least)} – ${count(most)}`]
        }),
        ['changes of 8 columns that a second of one core reads, decodes and reduces', count(decoded.perCoreSecond), ''],
      ],
    },
  ]
}
