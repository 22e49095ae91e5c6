import { parseArgs } from 'node:util'
import type { BenchCommand } from '../bench-command.ts'
import { readCount, readCounts } from '../options.ts'
import { describeWindows } from './report.ts'
import { measureWindows } from './windows-bench.ts'

const help = `npm run bench -- windows [--rows N] [--groups N,N] [--rate N] [--seconds N] [--runs N] [--save] [--json]

What windows cost beside apply: taxi trips are drained by apply, and then by the windows of the definition that ships. Also what
a change costs by the number of groups, and how much later than the row of the table the row of the windows is visible.
For a first look: --rows 5000 --groups 1000 --seconds 5 --runs 1
  --rows      trips of each run (60000)
  --groups    numbers of groups, each of one row (10000,100000,1000000)
  --rate      commits a second (100)
  --seconds   that are counted, after 10 that are not (12)
  --runs      turns (5)
  --save      keeps the result in bench/results and rewrites bench/README.md
  --json      prints the result as JSON`

export const windows: BenchCommand = {
  name: 'windows',
  help,
  async run(argv, onProgress) {
    const { values } = parseArgs({
      args: argv,
      options: {
        rows: { type: 'string', default: '60000' },
        groups: { type: 'string', default: '10000,100000,1000000' },
        rate: { type: 'string', default: '100' },
        seconds: { type: 'string', default: '12' },
        runs: { type: 'string', default: '5' },
      },
    })
    const measures = await measureWindows({
      rows: readCount('--rows', values.rows),
      groups: readCounts('--groups', values.groups),
      perSecond: readCount('--rate', values.rate),
      seconds: readCount('--seconds', values.seconds),
      runs: readCount('--runs', values.runs),
      onProgress,
    })
    const configuration = {
      history: 'on',
      functions: '4 of each at most; their processes are warm',
      archive: 'stopped',
    }
    return { file: 'windows', configuration, measures }
  },
  describe: describeWindows,
}
