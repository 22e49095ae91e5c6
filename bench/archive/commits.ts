import type { MSKEvent, MSKRecord } from 'aws-lambda'
import { makeArchiveFunctions } from '#test-support/archive-readers/archive-functions.ts'
import { percentile, spreadOf } from '../machine/statistics.ts'
import type { ArchiveStack } from './archive-stack.ts'

/** Commits of one small file each, with maintenance in between. */
export type CommitsResult = {
  readonly commits: number
  /** The median duration of the first quarter of the commits, and of the last one. */
  readonly medianMs: { readonly firstQuarter: number; readonly lastQuarter: number }
  readonly p99Ms: number
  /** The largest metadata file that was seen. */
  readonly metadataBytes: number
  readonly maintenance: { readonly runs: number; readonly longestMs: number }
}

/**
 * The maintenance function runs every ten minutes, which is once in this many commits when one comes every six seconds.
 */
const MAINTAINED_EVERY = 100
const LOOKED_AT_EVERY = 10
/** The retention of the function itself. */
const RETENTION = { ms: 3_600_000, least: 100, most: 500 }

/** Commits again and again to a table of the stack. */
export async function measureCommits(stack: ArchiveStack, commits: number): Promise<CommitsResult> {
  const functions = makeArchiveFunctions(stack.services, stack.pool)
  const took: number[] = []
  const maintained: number[] = []
  let metadataBytes = 0
  for (let number = 1; number <= commits; number++) {
    await functions.archive(eventOf(number - 1))
    took.push(await msOf(() => functions.commit()))
    if (number % MAINTAINED_EVERY === 0) maintained.push(await msOf(() => functions.maintain(RETENTION)))
    if (number % LOOKED_AT_EVERY > 0) continue
    const { metadataLocation } = await functions.openTable()
    metadataBytes = Math.max(metadataBytes, (await functions.store.get(metadataLocation))!.length)
  }
  const quarter = Math.ceil(commits / 4)
  return {
    commits,
    medianMs: {
      firstQuarter: tenths(spreadOf(took.slice(0, quarter)).median),
      lastQuarter: tenths(spreadOf(took.slice(-quarter)).median),
    },
    p99Ms: tenths(percentile(took, 0.99)),
    metadataBytes,
    maintenance: { runs: maintained.length, longestMs: Math.round(Math.max(0, ...maintained)) },
  }
}

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

const tenths = (ms: number): number => Math.round(ms * 10) / 10

/** An event of a topic partition of which nothing else is archived. */
function eventOf(offset: number): MSKEvent {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const record: MSKRecord = {
    ...{ topic: 'user-events', partition: 9, offset, timestamp: Date.now(), timestampType: 'CREATE_TIME', headers: [] },
    key: base64(`${offset}`),
    value: base64(`{"id":${offset},"op":"insert","event_order":${offset}}`),
  }
  return {
    eventSource: 'aws:kafka',
    eventSourceArn: 'arn',
    records: { 'user-events-9': [record] },
  } as unknown as MSKEvent
}
