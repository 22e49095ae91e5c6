import { parseArgs } from 'node:util'
import pg from 'pg'
import { loadTrips, prepareTaxiTables } from '#commands/feed/taxi-feed.ts'
import { startPipeline } from '#test-support/pipeline.ts'
import type { BenchCommand, ResultTable } from '../bench-command.ts'
import { stopWhenInterrupted } from '../interruption.ts'
import { readCount } from '../options.ts'
import { startArchiveStack } from './archive-stack.ts'
import { type ArchiveResult, measureArchiving } from './archiving.ts'
import { type CommitsResult, measureCommits } from './commits.ts'
import { type ArchiveDelay, measureArchiveDelay } from './delay.ts'

const help = `npm run bench -- archive [--rows N] [--commits N] [--save] [--json]

The archive on its own object store, catalog and Postgres, nothing else of the stack running: records a second by one process
of archive-changes and by two, of 632 bytes of JSON in events of 6 MB; their commit; then one small commit after the other,
with maintenance every hundred. At last, in the whole stack at 100 commits a second, how long a change takes from its commit
until it is in a table snapshot.
  --rows      records of each load (200000)
  --commits   small commits (300)
  --save      keeps the result in bench/results and rewrites bench/README.md
  --json      prints the result as JSON`

type ArchiveMeasures = { archived: ArchiveResult; commits: CommitsResult; delay: ArchiveDelay }

export const archive: BenchCommand = {
  name: 'archive',
  help,
  async run(argv, onProgress) {
    const { values } = parseArgs({
      args: argv,
      options: { rows: { type: 'string', default: '200000' }, commits: { type: 'string', default: '300' } },
    })
    const [rows, count] = [readCount('--rows', values.rows), readCount('--commits', values.commits)]
    const own = await measureAlone({ rows, commits: count }, onProgress)
    const measures: ArchiveMeasures = { ...own, delay: await measureDelay(onProgress) }
    return { file: 'archive', configuration: { 'archive functions': '2 at most, each of 512 MB' }, measures }
  },
  describe: describeArchive,
}

async function measureAlone({ rows, commits }: { rows: number; commits: number }, onProgress: (what: string) => void) {
  const stack = await startArchiveStack()
  try {
    onProgress('archiving')
    const archived = await measureArchiving(stack, rows)
    onProgress(`making ${commits} commits`)
    return { archived, commits: await measureCommits(stack, commits) }
  } finally {
    await stack.stop()
  }
}

const DELAY_ROWS = 2_000

async function measureDelay(onProgress: (what: string) => void): Promise<ArchiveDelay> {
  onProgress('starting the stack')
  const pipeline = await startPipeline()
  const source = new pg.Client({ connectionString: pipeline.engine.endpoints.source })
  await source.connect()
  const stop = stopWhenInterrupted(async () => {
    await source.end()
    await pipeline.stop()
  })
  try {
    await prepareTaxiTables(source)
    const trips = await loadTrips()
    onProgress('from commit to the archive')
    return await measureArchiveDelay(pipeline, source, { trips, rows: DELAY_ROWS, perSecond: 100 })
  } finally {
    await stop()
  }
}

function describeArchive({ archived, commits, delay }: ArchiveMeasures): ResultTable[] {
  const { perSecond, perCoreSecond, filesPerCoreSecond, memoryBytes, committed } = archived
  const { medianMs, p99Ms, metadataBytes, maintenance } = commits
  const count = (value: number) => value.toLocaleString('en-US')
  return [
    {
      title: 'Archive',
      header: ['what', 'figure'],
      rows: [
        ['records/s of archive-changes, one warm process, two', `${count(perSecond.one)}, ${count(perSecond.two)}`],
        [
          'records in a second of one core: the function, writing data files alone',
          `${count(perCoreSecond)}, ${count(filesPerCoreSecond)}`,
        ],
        ['most resident memory of a process', `${Math.round(memoryBytes / 1e6)} MB of 512 MB`],
        [`commit of ${count(committed.records)} records`, `${committed.seconds} s`],
        [
          `${count(commits.commits)} small commits: median of the first quarter, of the last, p99`,
          `${medianMs.firstQuarter}, ${medianMs.lastQuarter}, ${p99Ms} ms`,
        ],
        [
          'largest metadata, longest maintenance',
          `${Math.round(metadataBytes / 1000)} kB, ${count(maintenance.longestMs)} ms`,
        ],
        [
          `from commit to a table snapshot at 100 commits a second: median, longest of ${delay.samples}`,
          `${count(delay.medianMs)}, ${count(delay.mostMs)} ms`,
        ],
      ],
    },
  ]
}
