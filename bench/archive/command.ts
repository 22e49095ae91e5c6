import { parseArgs } from 'node:util'
import pg from 'pg'
import { loadTrips, prepareTaxiTables } from '#feed/taxi-feed.ts'
import { startPipeline } from '#test-support/pipeline.ts'
import type { BenchCommand, ResultTable } from '../bench-command.ts'
import { stopWhenInterrupted } from '../interruption.ts'
import { readCount } from '../options.ts'
import { fastest } from '../peers/iceberg-sink.ts'
import { HEAP_MB } from '../peers/peer-worker.ts'
import { startArchiveStack } from './archive-stack.ts'
import { type ArchiveResult, measureArchiving } from './archiving.ts'
import { type BesideSink, measureBesideSink } from './beside-sink.ts'
import { describeBesideSink } from './beside-sink-report.ts'
import { type CommitsResult, measureCommits } from './commits.ts'
import { type ArchiveDelay, measureArchiveDelay } from './delay.ts'

const help = `npm run bench -- archive [--peers] [--rows N] [--commits N] [--runs N] [--save] [--json]

The archive on its own object store, catalog and Postgres, nothing else of the stack running: records a second by one process
of archive-changes and by two, of 632 bytes of JSON in events of 6 MB; their commit; then one small commit after the other,
with maintenance every hundred. At last, in the whole stack at 100 commits a second, how long a change takes from its commit
until it is in a table snapshot.
  --peers     Apache Iceberg's own sink for Kafka Connect (1 and 4 tasks) and archive-changes drain the same topic as well, in
              turns, after one of each that is not counted; Maven is asked for the sink the first time
  --rows      records of each load, and of the topic beside the peer (200000)
  --commits   small commits (300)
  --runs      turns beside the peer (3)
  --save      keeps the result in bench/results and rewrites bench/README.md
  --json      prints the result as JSON`

type ArchiveMeasures = {
  archived: ArchiveResult
  commits: CommitsResult
  delay: ArchiveDelay
  besideSink?: BesideSink
}

export const archive: BenchCommand = {
  name: 'archive',
  help,
  async run(argv, onProgress) {
    const { values } = parseArgs({
      args: argv,
      options: {
        peers: { type: 'boolean', default: false },
        rows: { type: 'string', default: '200000' },
        commits: { type: 'string', default: '300' },
        runs: { type: 'string', default: '3' },
      },
    })
    const [rows, count] = [readCount('--rows', values.rows), readCount('--commits', values.commits)]
    const runs = readCount('--runs', values.runs)
    const besideSink = values.peers ? await measurePeers({ records: rows, runs, onProgress }) : undefined
    const own = await measureAlone({ rows, commits: count }, onProgress)
    const measures: ArchiveMeasures = {
      ...{ ...own, delay: await measureDelay(onProgress) },
      ...(besideSink && { besideSink }),
    }
    const configuration = {
      'archive functions': '2 at most, each of 512 MB',
      ...(besideSink && {
        "Iceberg's sink": `Apache Iceberg 1.11.0, a warm JVM with a heap of ${HEAP_MB} MB; ${settingsOf(fastest)}`,
      }),
    }
    return { file: 'archive', configuration, measures }
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

/** Measures on servers of its own, so that nothing of the other measurements is in the catalog. */
async function measurePeers(options: Parameters<typeof measureBesideSink>[1]): Promise<BesideSink> {
  options.onProgress('starting the object store, the catalog and Postgres')
  const stack = await startArchiveStack()
  try {
    return await measureBesideSink(stack, options)
  } finally {
    await stack.stop()
  }
}

const settingsOf = (settings: Record<string, string>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')

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

function describeArchive({ archived, commits, delay, besideSink }: ArchiveMeasures): ResultTable[] {
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
    ...(besideSink === undefined ? [] : [describeBesideSink(besideSink)]),
  ]
}
