import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import type { BenchCommand } from '../bench-command.ts'
import { stopWhenInterrupted } from '../interruption.ts'
import { connectTo } from '../measured-stack.ts'
import { readCount } from '../options.ts'
import { measureFunctionMemory } from './function-memory.ts'
import { type ColdMeasures, describeCold } from './report.ts'

const help = `npm run bench -- cold [--runs N] [--large N] [--small N] [--save] [--json]

What the first invocation of a process of apply-latest-state costs: from the answer to a commit until its row is visible, with a
process that has been there and with none, which has just been killed. Then the most memory that a process holds, by rows of
1 MB and by small rows (Linux). For a first look: --runs 3 --large 20 --small 10000
  --runs      times of each (10)
  --large     rows of 1 MB (150)
  --small     small rows (200000)
  --save      keeps the result in bench/results and rewrites bench/README.md
  --json      prints the result as JSON`

export const cold: BenchCommand = {
  name: 'cold',
  help,
  async run(argv, onProgress) {
    const { values } = parseArgs({
      args: argv,
      options: {
        runs: { type: 'string', default: '10' },
        large: { type: 'string', default: '150' },
        small: { type: 'string', default: '200000' },
      },
    })
    const runs = readCount('--runs', values.runs)
    const rows = { large: readCount('--large', values.large), small: readCount('--small', values.small) }
    onProgress('starting the stack')
    const pipeline = await startPipeline()
    const source = await connectTo(pipeline.engine.endpoints.source)
    const stop = stopWhenInterrupted(async () => {
      await source.end()
      await pipeline.stop()
    })
    try {
      const measures: ColdMeasures = {
        ...(await measureFirst(pipeline, source, { runs, onProgress })),
        memory: await measureFunctionMemory(pipeline, source, { rows, onProgress }),
      }
      return {
        file: 'cold',
        configuration: { 'apply functions': '4 at most, each of 1024 MB; history is on, the archive runs beside' },
        measures,
      }
    } finally {
      await stop()
    }
  },
  describe: describeCold,
}

const VISIBLE_WITHIN_MS = 120_000
const LOOK_EVERY_MS = 5

async function measureFirst(
  pipeline: TestPipeline,
  source: pg.Client,
  { runs, onProgress }: { runs: number; onProgress: (what: string) => void },
): Promise<Pick<ColdMeasures, 'warmMs' | 'coldMs'>> {
  const [warmMs, coldMs]: [number[], number[]] = [[], []]
  await source.query('create table public.first (id int primary key)')
  await pipeline.compare()
  let id = 0
  const commitToVisible = async (): Promise<number> => {
    await source.query('insert into public.first values ($1)', [++id])
    const committedAt = performance.now()
    while ((await pipeline.target.query('select from public.first where id = $1', [id])).rowCount === 0) {
      if (performance.now() - committedAt > VISIBLE_WITHIN_MS)
        throw new Error('a row was not visible within two minutes')
      await pause(LOOK_EVERY_MS)
    }
    return Math.round(performance.now() - committedAt)
  }
  for (let run = 1; run <= runs; run++) {
    onProgress(`run ${run} of ${runs}`)
    // The process before this one was killed. After a few rows this one is compiled and connected.
    for (let row = 0; row < ROWS_TO_WARM_UP; row++) await commitToVisible()
    warmMs.push(await commitToVisible())
    killApply(pipeline)
    coldMs.push(await commitToVisible())
  }
  return { warmMs, coldMs }
}

const ROWS_TO_WARM_UP = 5

function killApply({ engine }: TestPipeline): void {
  const apply = engine.functions().find(({ name }) => name.endsWith('apply-latest-state'))
  for (const pid of apply?.processes ?? []) process.kill(pid, 'SIGKILL')
}
