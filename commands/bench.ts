import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { measureArchiving } from '#bench/archive.ts'
import { measureCommits } from '#bench/archive-commits.ts'
import { measureArchiveDelay } from '#bench/archive-delay.ts'
import { startArchiveStack } from '#bench/archive-stack.ts'
import { measureDecoding } from '#bench/decode.ts'
import { measureDrain, measureTail } from '#bench/drain.ts'
import { measureFunctionMemory } from '#bench/function-memory.ts'
import { type LogListener, measureLatency } from '#bench/latency.ts'
import { startPipeline } from '#test-support/pipeline.ts'
import { loadTrips, prepareTaxiTables } from './feed/taxi-feed.ts'
import { alignColumns } from './terminal/aligned-columns.ts'

const help = `npm run bench [-- --rows N] [--commits N] [--archive] [--json]

Measures first, with the servers that each needs:
  decoded   changes of 8 columns that a second of one core reads, decodes and reduces
  archived  records a second, of 632 bytes of JSON in events of 6 MB, by one process of archive-changes and by two,
            once warm; what writing data files alone takes of a core; the most memory of a process (Linux); the commit of
            it all
  commits   one small commit after the other, with maintenance every hundred: time of the first and last quarter, and
            the largest metadata
Then starts the whole stack in a directory of its own and measures it with taxi trips of 21 columns:
  latency   from commit to visible at 100 single-row commits a second, for 20 s; then from commit to a table
            snapshot of the archive
  captured  rows a second from the first insert until all are on the topic
  applied   rows a second of a topic that is filled beforehand, three times: the first one finds cold functions; then
            twice with history off
  tail      from the last row on the topic until it is visible, during a load
  memory    resident memory of every process of the stack
  function  the most resident memory of a process of apply-latest-state, by rows of 1 MB and by small rows (Linux)
  --rows    rows of each load (200000)
  --commits commits of the archive (300)
  --archive the archive alone
  --json    prints the result as JSON`

/** 0 when everything was measured. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      rows: { type: 'string', default: '200000' },
      commits: { type: 'string', default: '300' },
      archive: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) {
    console.log(help)
    return 0
  }
  const machine = { cores: cpus().length, loadBefore: loadavg()[0]! }
  const load = { rows: Number(values.rows), commits: Number(values.commits) }
  const decoded = values.archive ? undefined : measureDecoding()
  const archive = await measureArchive(load)
  const pipeline = values.archive ? undefined : await measurePipeline(load.rows)
  const result = { machine, ...(decoded && { decoded }), archive, ...pipeline }
  const rows = [
    ['machine', `${machine.cores} cores, load ${machine.loadBefore.toFixed(1)} before`],
    ...(decoded ? [['decoded', `${decoded.perCoreSecond} changes in a second of one core`]] : []),
    ...describeArchive(archive),
    ...(pipeline ? describePipeline(pipeline) : []),
  ]
  console.log(values.json ? JSON.stringify(result, null, 2) : alignColumns(rows).join('\n'))
  return 0
}

type ArchiveMeasures = Awaited<ReturnType<typeof measureArchive>>

async function measureArchive({ rows, commits }: { rows: number; commits: number }) {
  const stack = await startArchiveStack()
  try {
    return { archived: await measureArchiving(stack, rows), commits: await measureCommits(stack, commits) }
  } finally {
    await stack.stop()
  }
}

type PipelineMeasures = Awaited<ReturnType<typeof measurePipeline>>

async function measurePipeline(rows: number) {
  const listener: LogListener = { onLog: () => undefined }
  const pipeline = await startPipeline({}, (name, line) => listener.onLog(name, line))
  const source = new pg.Client({ connectionString: pipeline.engine.endpoints.source })
  await source.connect()
  try {
    await prepareTaxiTables(source)
    const trips = await loadTrips()
    await measureLatency(pipeline, source, listener, { trips, rows: 500, perSecond: 100 })
    const memoryIdle = await pipeline.engine.residentBytes()
    const latencyMs = await measureLatency(pipeline, source, listener, { trips, rows: 2_000, perSecond: 100 })
    const archiveDelay = await measureArchiveDelay(pipeline, source, { trips, rows: 2_000, perSecond: 100 })
    const drains = []
    for (let run = 0; run < 3; run++) drains.push(await measureDrain(pipeline, source, { trips, rows }))
    const tail = await measureTail(pipeline, source, { trips, rows })
    await pipeline.target.query(`select tidemark.set_history('*', false)`)
    const withoutHistory = []
    for (let run = 0; run < 2; run++) withoutHistory.push(await measureDrain(pipeline, source, { trips, rows }))
    const memoryLoaded = await pipeline.engine.residentBytes()
    const functionMemory = await measureFunctionMemory(pipeline, source)
    return {
      latencyMs,
      archiveDelay,
      drains,
      withoutHistory,
      tail,
      memoryMb: { idle: megabytes(memoryIdle), loaded: megabytes(memoryLoaded) },
      functionMb: {
        ofLargeRows: megabytes(functionMemory.ofLargeRows),
        ofSmallRows: megabytes(functionMemory.ofSmallRows),
      },
    }
  } finally {
    await source.end()
    await pipeline.stop()
  }
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e6)

function describeArchive({ archived, commits }: ArchiveMeasures): string[][] {
  const { perSecond, perCoreSecond, filesPerCoreSecond, memoryBytes, committed } = archived
  const { medianMs, p99Ms, metadataBytes, maintenance } = commits
  const of = `${committed.records} records in ${committed.commits} commits`
  return [
    ['archived', `${perSecond.one} records/s by one process, ${perSecond.two} by two`],
    ['', `${perCoreSecond} in a second of one core by the function, ${filesPerCoreSecond} by writing data files alone`],
    ['archive memory', `${megabytes(memoryBytes)} MB of 512 MB at most`],
    ['committed', `${of}, ${committed.seconds} s`],
    [
      'commits',
      `${commits.commits}: median ${medianMs.firstQuarter} ms of the first quarter, ${medianMs.lastQuarter} ms of the last, p99 ${p99Ms} ms`,
    ],
    ['metadata', `${Math.round(metadataBytes / 1000)} kB at most, maintenance ${maintenance.longestMs} ms at most`],
  ]
}

function describePipeline(measures: PipelineMeasures): string[][] {
  const { latencyMs, archiveDelay, drains, withoutHistory, tail, memoryMb, functionMb } = measures
  const rates = (pick: (drain: PipelineMeasures['drains'][number]) => number) =>
    drains.map((drain) => pick(drain)).join(', ')
  const without = withoutHistory.map(({ appliedPerSecond }) => appliedPerSecond).join(', ')
  return [
    ['commit to visible', `p50 ${latencyMs.p50} ms, p95 ${latencyMs.p95} ms, p99 ${latencyMs.p99} ms at 100 changes/s`],
    [
      'commit to archive',
      `median ${archiveDelay.medianMs} ms, ${archiveDelay.mostMs} ms at most, ${archiveDelay.samples} samples at 100 changes/s`,
    ],
    ['captured', `${rates((drain) => drain.capturedPerSecond)} rows/s`],
    ['applied', `${rates((drain) => drain.appliedPerSecond)} rows/s, topic filled beforehand`],
    ['without history', `${without} rows/s`],
    ['tail', `last of ${tail.rows} rows visible ${tail.lastVisibleAfterSeconds} s after it is on the topic`],
    ['memory', `${memoryMb.idle} MB at 100 changes/s, ${memoryMb.loaded} MB after the loads`],
    ['function', `${functionMb.ofLargeRows} MB by rows of 1 MB, ${functionMb.ofSmallRows} MB by small rows, of 256 MB`],
  ]
}
