import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { measureDecoding } from '#bench/decode.ts'
import { measureDrain, measureTail } from '#bench/drain.ts'
import { measureFunctionMemory } from '#bench/function-memory.ts'
import { type LogListener, measureLatency } from '#bench/latency.ts'
import { startPipeline } from '#test-support/pipeline.ts'
import { loadTrips, prepareTaxiTables } from './feed/taxi-feed.ts'
import { alignColumns } from './terminal/aligned-columns.ts'

const help = `npm run bench [-- --rows N] [--json]

Starts the whole stack in a directory of its own and measures it with taxi trips of 21 columns:
  decoded   changes of 8 columns that a second of one core reads, decodes and reduces; before the stack is started
  latency   from commit to visible at 100 single-row commits a second, for 20 s
  captured  rows a second from the first insert until all are on the topic
  applied   rows a second of a topic that is filled beforehand, three times: the first one finds cold functions; then
            twice with history off
  tail      from the last row on the topic until it is visible, during a load
  memory    resident memory of every process of the stack
  function  the most resident memory of a process of apply-latest-state, by rows of 1 MB and by small rows (Linux)
  --rows    rows of each load (200000)
  --json    prints the result as JSON`

/** 0 when everything was measured. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: { rows: { type: 'string', default: '200000' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
  })
  if (values.help) {
    console.log(help)
    return 0
  }
  const result = await measure(Number(values.rows))
  console.log(values.json ? JSON.stringify(result, null, 2) : describe(result))
  return 0
}

type Result = Awaited<ReturnType<typeof measure>>

async function measure(rows: number) {
  const machine = { cores: cpus().length, loadBefore: loadavg()[0]! }
  const decoded = measureDecoding()
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
    const drains = []
    for (let run = 0; run < 3; run++) drains.push(await measureDrain(pipeline, source, { trips, rows }))
    const tail = await measureTail(pipeline, source, { trips, rows })
    await pipeline.target.query(`select tidemark.set_history('*', false)`)
    const withoutHistory = []
    for (let run = 0; run < 2; run++) withoutHistory.push(await measureDrain(pipeline, source, { trips, rows }))
    const memoryLoaded = await pipeline.engine.residentBytes()
    const functionMemory = await measureFunctionMemory(pipeline, source)
    return {
      machine,
      decoded,
      latencyMs,
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

function describe(result: Result): string {
  const { machine, decoded, latencyMs, drains, withoutHistory, tail, memoryMb, functionMb } = result
  const rates = (pick: (drain: Result['drains'][number]) => number) => drains.map((drain) => pick(drain)).join(', ')
  const without = withoutHistory.map(({ appliedPerSecond }) => appliedPerSecond).join(', ')
  const rows = [
    ['machine', `${machine.cores} cores, load ${machine.loadBefore.toFixed(1)} before`],
    ['decoded', `${decoded.perCoreSecond} changes in a second of one core`],
    ['commit to visible', `p50 ${latencyMs.p50} ms, p95 ${latencyMs.p95} ms, p99 ${latencyMs.p99} ms at 100 changes/s`],
    ['captured', `${rates((drain) => drain.capturedPerSecond)} rows/s`],
    ['applied', `${rates((drain) => drain.appliedPerSecond)} rows/s, topic filled beforehand`],
    ['without history', `${without} rows/s`],
    ['tail', `last of ${tail.rows} rows visible ${tail.lastVisibleAfterSeconds} s after it is on the topic`],
    ['memory', `${memoryMb.idle} MB at 100 changes/s, ${memoryMb.loaded} MB after the loads`],
    ['function', `${functionMb.ofLargeRows} MB by rows of 1 MB, ${functionMb.ofSmallRows} MB by small rows, of 256 MB`],
  ]
  return alignColumns(rows).join('\n')
}
