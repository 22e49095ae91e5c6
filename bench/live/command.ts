import { parseArgs } from 'node:util'
import type { BenchCommand } from '../bench-command.ts'
import { readCount, readCounts } from '../options.ts'
import { measureLive } from './live.ts'
import { describeLive } from './report.ts'

const help = `npm run bench -- live [--peers] [--rates N,N] [--seconds N] [--runs N] [--save] [--json]

How long a change takes from commit to visible at a steady rate of single-row commits, seen from outside: a process of its own
writes to the source and looks at the target every 5 ms. Also where that time goes, by what the records of the topic say, and
what every part of the stack takes of the processor meanwhile.
History is on; the archive runs beside, and is stopped for comparison.
  --peers      Debezium and its JDBC sink with the same capture settings as well
  --rates      commits a second (100,1000)
  --seconds    that are counted, after 10 that are not (20)
  --runs       turns (3)
  --save       keeps the result in bench/results and rewrites bench/README.md
  --json       prints the result as JSON`

export const live: BenchCommand = {
  name: 'live',
  help,
  async run(argv, onProgress) {
    const { values } = parseArgs({
      args: argv,
      options: {
        peers: { type: 'boolean', default: false },
        rates: { type: 'string', default: '100,1000' },
        seconds: { type: 'string', default: '20' },
        runs: { type: 'string', default: '3' },
      },
    })
    const measures = await measureLive({
      rates: readCounts('--rates', values.rates),
      seconds: readCount('--seconds', values.seconds),
      runs: readCount('--runs', values.runs),
      peers: values.peers,
      onProgress,
    })
    return {
      file: 'live',
      configuration: { rows: 'of 8 columns, inserted one by one over 8 connections', windows: 'held' },
      measures,
    }
  },
  describe: describeLive,
}
