import { parseArgs } from 'node:util'
import { UsageError } from '#terminal/usage-error.ts'
import type { BenchCommand } from '../bench-command.ts'
import { readCount } from '../options.ts'
import { measureConsole, type Part, parts } from './console-bench.ts'
import { describeConsole } from './report.ts'

const help = `npm run bench -- console [--only PART,PART] [--rows N] [--runs N] [--loads N] [--commits N] [--tail-minutes N] [--rate N] [--tables N] [--changes N] [--requests N] [--save] [--json]

What the console costs the pipeline, how fast it shows something, what memory a live list takes, and how long its server takes for
each route. The page is looked at in Chromium, which is found in its usual places or at TIDEMARK_CHROMIUM. The parts:
  cost     the drain of a filled topic with two pages open, and without a page, in turns
  seen     fresh loads of the overview, and the time from a commit until its change is in the list of the page
  memory   of a live list and of the console's server, each minute
  routes   on databases of their own, with a generated history
For a first look: --rows 5000 --runs 1 --commits 3 --tail-minutes 1 --tables 10 --changes 10000 --requests 5
  --only           cost, seen, memory or routes (all)
  --rows           cost: rows of the workload bench (100000)
  --runs           cost: turns (5)
  --loads          seen: loads that are counted (5)
  --commits        seen: inserts, and as many updates (20)
  --tail-minutes   memory: minutes (3)
  --rate           memory: changes a second (1000)
  --tables         routes: captured tables (1000)
  --changes        routes: changes in the history of thirty days (1000000)
  --requests       routes: requests of each kind that are counted (20)
  --save           keeps the result in bench/results and rewrites bench/README.md
  --json           prints the result as JSON`

const text = (usual: string) => ({ type: 'string', default: usual }) as const

export const console: BenchCommand = {
  name: 'console',
  help,
  async run(argv, onProgress) {
    const { values } = parseArgs({
      args: argv,
      options: {
        ...{ only: text(parts.join(',')), rows: text('100000'), runs: text('5'), loads: text('5') },
        ...{ commits: text('20'), 'tail-minutes': text('3'), rate: text('1000') },
        ...{ tables: text('1000'), changes: text('1000000'), requests: text('20') },
      },
    })
    const measures = await measureConsole({
      only: readParts(values.only),
      rows: readCount('--rows', values.rows),
      runs: readCount('--runs', values.runs),
      loads: readCount('--loads', values.loads),
      commits: readCount('--commits', values.commits),
      minutes: readCount('--tail-minutes', values['tail-minutes']),
      perSecond: readCount('--rate', values.rate),
      tables: readCount('--tables', values.tables),
      changes: readCount('--changes', values.changes),
      requests: readCount('--requests', values.requests),
      onProgress,
    })
    const configuration = {
      history: 'on',
      console: 'a process of its own with low priority, as npm start has it',
      Chromium: 'on the same machine, without a window; with the lowest priority while the cost is measured',
    }
    return { file: 'console', configuration, measures }
  },
  describe: describeConsole,
}

function readParts(given: string): Part[] {
  return given.split(',').map((name) => {
    const part = parts.find((each) => each === name.trim())
    if (part === undefined) throw new UsageError(`--only ${name} is none of ${parts.join(', ')}`)
    return part
  })
}
