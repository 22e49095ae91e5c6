import { parseArgs } from 'node:util'
import type { BenchCommand } from '../bench-command.ts'
import { readCount, readCounts } from '../options.ts'
import { measureGrowth } from './growth.ts'
import { describeGrowth } from './report.ts'
import { targetSizes } from './target-sizes.ts'

const help = `npm run bench -- growth [--sizes N,N] [--tables N,N] [--changes N] [--runs N] [--save] [--json]

Whether a change costs more in a larger target: the same number of updates, each of another row, spread over one table of each
size, and over each number of tables. History is on. What is fetched and decoded before the first write is not counted. The
tables are filled by capture and apply, which is most of the time: 10,000,000 rows may take an hour and 10 GB of disk.
For a first look: --sizes 1000,10000 --tables 1,5 --changes 1000 --runs 1
  --sizes     rows of the one table (10000,100000,1000000,10000000)
  --tables    numbers of tables, which share ten rows for each change (1,10,50)
  --changes   updates of each run, no more than the smallest size (10000)
  --runs      turns (5)
  --save      keeps the result in bench/results and rewrites bench/README.md
  --json      prints the result as JSON`

export const growth: BenchCommand = {
  name: 'growth',
  help,
  async run(argv, onProgress) {
    const { values } = parseArgs({
      args: argv,
      options: {
        sizes: { type: 'string', default: '10000,100000,1000000,10000000' },
        tables: { type: 'string', default: '1,10,50' },
        changes: { type: 'string', default: '10000' },
        runs: { type: 'string', default: '5' },
      },
    })
    const options = {
      sizes: readCounts('--sizes', values.sizes),
      tableCounts: readCounts('--tables', values.tables),
      changes: readCount('--changes', values.changes),
      runs: readCount('--runs', values.runs),
    }
    targetSizes(options)
    return {
      file: 'growth',
      configuration: {
        windows: 'held',
        history: 'on, and off while the tables are filled',
        'shared buffers of the target': '64 MB',
        'apply functions': '4 at most, each of 1024 MB; their processes are warm',
      },
      measures: await measureGrowth({ ...options, onProgress }),
    }
  },
  describe: describeGrowth,
}
