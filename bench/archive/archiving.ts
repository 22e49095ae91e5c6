import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MSKEvent } from 'aws-lambda'
import { readDelivered } from '#lambdas/archive-changes/archived-record.ts'
import { makeDataFiles } from '#lambdas/archive-changes/data-files.ts'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { makeArchiveFunctions } from '#test-support/archive-readers/archive-functions.ts'
import { madeEvents } from '#test-support/archive-readers/made-topics.ts'
import type { ArchiveStack } from './archive-stack.ts'
import type { FunctionLoad, FunctionRun } from './function-process.ts'

/**
 * Rates of archiving records of about 632 bytes of JSON. They come in events of 6 MB of base64, one at a time for each
 * process of the function, after the process is warm.
 */
export type ArchiveResult = {
  /** Records archived per second by one process, and by two that share the topic partitions. */
  readonly perSecond: { readonly one: number; readonly two: number }
  /**
   * Records archived per second of a core that the function used, without the servers. `filesPerCoreSecond` is the same
   * for the conversion of records to data files alone.
   */
  readonly perCoreSecond: number
  readonly filesPerCoreSecond: number
  /** The largest resident memory of a process, under Node's limits in a function of 512 MB. Linux only. */
  readonly memoryBytes: number
  /** The commits that put all archived records into the table. */
  readonly committed: { readonly records: number; readonly commits: number; readonly seconds: number }
}

/** Node's limits in a function of 512 MB, as AWS sets them. */
const NODE_FLAGS = ['--max-semi-space-size=25', '--max-old-space-size=460']
/** The first events, some 100,000 records, are not counted, because the process is not warm yet. */
const NOT_COUNTED = 18
const RECORDS_OF_EVENT = 5_760
const program = join(import.meta.dirname, 'function-process.ts')

/** Archives `records` records with one process, then as many with two, on real servers, and commits them. */
export async function measureArchiving(stack: ArchiveStack, records: number): Promise<ArchiveResult> {
  const filesPerCoreSecond = measureFiles()
  const directory = await mkdtemp(join(tmpdir(), 'archive-events-'))
  try {
    const events = Math.ceil(records / RECORDS_OF_EVENT / 2)
    const ofOne = Math.ceil(NOT_COUNTED / 2) + events
    const files = await writeEvents(directory, 2 * (ofOne + NOT_COUNTED + events) * RECORDS_OF_EVENT)
    const one = await run(stack, [files.flatMap((each) => each.slice(0, ofOne))])
    const two = await run(
      stack,
      files.map((each) => each.slice(ofOne)),
    )
    const startedAt = performance.now()
    const summary = await makeArchiveFunctions(stack.services, stack.pool).commit()
    return {
      perSecond: { one: one.perSecond, two: two.perSecond },
      perCoreSecond: two.perCoreSecond,
      filesPerCoreSecond,
      memoryBytes: Math.max(one.memoryBytes, two.memoryBytes),
      committed: {
        records: summary.records,
        commits: summary.commits,
        seconds: Math.round((performance.now() - startedAt) / 100) / 10,
      },
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const isOfChanges = ({ records }: MSKEvent): boolean => Object.keys(records)[0]!.startsWith('changes')

/**
 * Writes events for two processes. Each process gets two of four topic partitions. Returns the files of each, in their
 * order.
 */
async function writeEvents(directory: string, records: number): Promise<string[][]> {
  const deliveries = Array.from(madeEvents(Math.ceil(records / 0.9)), ({ event }) => event).filter(isOfChanges)
  const files: string[][] = [[], []]
  // Two deliveries of two topic partitions together are as large as one of four.
  for (let next = 0; next + 1 < deliveries.length; next += 2) {
    const [first, second] = [deliveries[next]!.records, deliveries[next + 1]!.records]
    for (const process of [0, 1]) {
      const streams = [2 * process, 2 * process + 1].map((slot) => `changes-${slot}`)
      const held = streams.map((stream) => [stream, [...first[stream]!, ...second[stream]!]])
      const file = join(directory, `${process}-${next}.json`)
      await writeFile(file, JSON.stringify({ ...deliveries[next], records: Object.fromEntries(held) }))
      files[process]!.push(file)
    }
  }
  return files
}

/** Runs one process for each list of files, all at once. */
async function run({ services, databaseUrl }: ArchiveStack, lists: readonly (readonly string[])[]) {
  const runs = await Promise.all(
    lists.map(async (files): Promise<FunctionRun> => {
      const load: FunctionLoad = { services, databaseUrl, files, notCounted: NOT_COUNTED }
      const { code, output } = await runToEnd(process.execPath, [...NODE_FLAGS, program, JSON.stringify(load)])
      if (code !== 0) throw new Error(`a process that archives ended with exit code ${code}:\n${output}`)
      return JSON.parse(output.trim().split('\n').at(-1)!)
    }),
  )
  const ms = Math.max(...runs.map((each) => each.endedAtMs)) - Math.min(...runs.map((each) => each.startedAtMs))
  const records = runs.reduce((sum, each) => sum + each.records, 0)
  const coreSeconds = runs.reduce((sum, each) => sum + each.coreSeconds, 0)
  return {
    perSecond: Math.round((records / ms) * 1000),
    perCoreSecond: Math.round(records / coreSeconds),
    memoryBytes: Math.max(...runs.map((each) => each.memoryBytes)),
  }
}

const RUNS = 8

/** The best of a few runs, measured in processor time, because other programs may use the machine meanwhile. */
function measureFiles(): number {
  const streams = Array.from(madeEvents(20_000), ({ event }) => event)
    .filter(isOfChanges)
    .flatMap(({ records }) => Object.values(records))
  const records = streams.reduce((sum, each) => sum + each.length, 0)
  const rates = Array.from({ length: RUNS }, () => {
    const before = process.cpuUsage()
    for (const each of streams) makeDataFiles('s3://bench/table', each.map(readDelivered), 0)
    const { user, system } = process.cpuUsage(before)
    return records / ((user + system) / 1e6)
  })
  return Math.round(Math.max(...rates))
}
