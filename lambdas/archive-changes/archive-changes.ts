import type { MSKEvent } from 'aws-lambda'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import { type OffsetSpan, OvertakenError } from '#adapters/postgres/archive/archive-progress.ts'
import type { Waiting } from '#adapters/postgres/archive/archive-waiting.ts'
import type { ProgressKey } from '#adapters/postgres/delivery/progress.ts'
import { decideDelivery, type OffsetRule } from '#core/delivery.ts'
import { CONSUMERS } from '#core/fixed-names.ts'
import { eachTopicPartition, type KafkaBatchResponse, reportFailures } from '../batch-item-failures.ts'
import { type Metric, metricsLine } from '../metrics-line.ts'
import { type Archived, type ArchiveProgress, archiveDelivery, StoppedTopicPartitionError } from './archive-delivery.ts'
import { readDelivered } from './archived-record.ts'
import { makeDataFiles } from './data-files.ts'

/** What the function works with. */
export type ArchiveChangesOptions = {
  /** By topic, whether its offsets may have gaps. A record of any other topic is refused. */
  readonly topics: ReadonlyMap<string, OffsetRule>
  readonly progress: ArchiveProgress & {
    /** Stores why records of a delivery are not archived; the reason stays until they are. */
    noteFailure(key: ProgressKey, offsets: OffsetSpan, reason: string): Promise<void>
    waiting(): Promise<Waiting>
  }
  readonly store: Pick<ObjectStore, 'put'>
  /**
   * URL of the archive table's location. It is read at each event, so that an archive that is out of reach is an error
   * of that event only.
   */
  readonly location: () => Promise<string>
  /** Invokes commit-archive, which commits the files that wait. */
  readonly requestCommit: () => Promise<void>
  readonly commit: CommitRule
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Writes a line of the log. */
  readonly print: (line: string) => void
  readonly makeFiles?: typeof makeDataFiles
}

/** When to request a commit, in addition to the schedule of commit-archive, which runs each minute. */
export type CommitRule = { readonly afterMs: number; readonly afterBytes: number }

const CONSUMER = CONSUMERS.archive
/** The interval of the schedule of commit-archive. */
const SCHEDULE_MS = 60_000

/**
 * Writes the records of an event to data files, each topic partition separately, and notes the files in the ledger
 * together with the progress. A topic partition that is stopped or fails is reported as failed, and its reason is
 * stored: the mapping delivers it again, and the others go on. Records that were archived before are skipped.
 */
export function makeArchiveChanges(options: ArchiveChangesOptions): (event: MSKEvent) => Promise<KafkaBatchResponse> {
  return async (event) => {
    const archived: Archived = { records: 0, duplicates: 0, files: 0, bytes: 0, raw: 0 }
    let location: Promise<string> | undefined
    const once = { ...options, location: () => (location ??= options.location()) }
    const failed = await eachTopicPartition(event, (records) => archiveOne(once, records, archived))
    for (const { name, reason } of failed) options.print(`${name} is not archived: ${reason.stack ?? reason.message}`)
    options.print(metricsLine('archive', options.now(), describeMetrics(archived, failed.length)))
    if (archived.records > 0 && (await isCommitDue(options, archived))) await options.requestCommit()
    return reportFailures(event, failed)
  }
}

async function archiveOne(
  options: ArchiveChangesOptions,
  delivered: MSKEvent['records'][string],
  archived: Archived,
): Promise<void> {
  const { topics, progress, makeFiles = makeDataFiles } = options
  const { topic, partition: topicPartition, offset: first } = delivered[0]!
  const rule = topics.get(topic)
  if (rule === undefined) throw new Error(`the function got a record of topic ${topic}, which it does not archive`)
  const key = { consumer: CONSUMER, topic, topicPartition }
  try {
    const [location, known] = await Promise.all([options.location(), progress.read(key)])
    // Records are decoded only now: with those of all topic partitions in memory, garbage collection would cost more
    // than the work itself.
    const records = delivered.map(readDelivered)
    const decision = decideDelivery(known, records, rule)
    const delivery = { ...options, key, rule, location, makeFiles, archived }
    if (decision.kind === 'stop' && decision.applicable > 0) {
      // Records before a gap are archived, so that going on after the gap later loses none of them.
      const whole = records.slice(0, decision.applicable)
      const before = decideDelivery(known, whole, rule)
      if (before.kind === 'apply') await archiveDelivery(delivery, whole, before.from)
    }
    await archiveDelivery(delivery, records, decision.kind === 'apply' ? decision.from : records.length)
  } catch (error) {
    if (!(error instanceof StoppedTopicPartitionError || error instanceof OvertakenError)) {
      await noteFailure(options, key, { first, last: delivered.at(-1)!.offset }, error as Error)
    }
    throw error
  }
}

/** Does not throw when the database cannot store the failure, because the caller has to report the failure itself. */
async function noteFailure(
  { progress, print }: ArchiveChangesOptions,
  key: ProgressKey,
  offsets: OffsetSpan,
  reason: Error,
): Promise<void> {
  const [noted] = await Promise.allSettled([progress.noteFailure(key, offsets, reason.message)])
  if (noted.status === 'rejected') print(`the failure could not be noted in tidemark.stop: ${noted.reason}`)
}

/**
 * Whether to invoke commit-archive. The invocation that writes the first waiting file does so, and commit-archive waits
 * until a commit is due; later invocations find it running. If it has failed, the waiting files become overdue, and the
 * next invocation calls it again. It is not called when its schedule comes soon enough.
 */
async function isCommitDue({ progress, commit }: ArchiveChangesOptions, { files }: Archived): Promise<boolean> {
  const waiting = await progress.waiting()
  const first = waiting.files > 0 && waiting.files <= files
  return (
    (first && commit.afterMs < SCHEDULE_MS) ||
    waiting.bytes >= commit.afterBytes ||
    (waiting.oldestAgeMs ?? 0) >= 2 * commit.afterMs
  )
}

const describeMetrics = ({ records, duplicates, bytes, raw }: Archived, failed: number): Metric[] => [
  { name: 'ArchivedRecords', unit: 'Count', value: records },
  { name: 'DuplicateRecords', unit: 'Count', value: duplicates },
  { name: 'ArchivedBytes', unit: 'Bytes', value: bytes },
  { name: 'RecordsArchivedAsBytes', unit: 'Count', value: raw },
  { name: 'FailedTopicPartitions', unit: 'Count', value: failed },
]
