import type { MSKEvent, MSKRecord } from 'aws-lambda'
import type { DataFileMetrics } from '#adapters/iceberg/data-file-metrics.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import type { ApplyOutcome } from '#adapters/postgres/apply-transaction.ts'
import type { LedgerFile, Waiting } from '#adapters/postgres/archive-ledger.ts'
import type { ProgressKey } from '#adapters/postgres/progress.ts'
import { decideDelivery, type OffsetRule, type Progress } from '#core/delivery.ts'
import { type Metric, metricsLine } from '../metrics-line.ts'
import { type DeliveredRecord, readDelivered } from './archived-record.ts'
import { type DataFile, makeDataFiles } from './data-files.ts'

/** How far a topic partition is archived, and how it gets further. */
export type ArchiveProgress = {
  read(key: ProgressKey): Promise<Progress>
  /** Notes the files of the records from the first one of `fresh` on, and advances; nothing when someone else was faster. */
  advance(
    key: ProgressKey,
    rule: OffsetRule,
    records: readonly DeliveredRecord[],
    fresh: readonly DeliveredRecord[],
    files: readonly LedgerFile<DataFileMetrics>[],
  ): Promise<ApplyOutcome<{ records: number }>>
  waiting(): Promise<Waiting>
}

/** What the function works with. */
export type ArchiveChangesOptions = {
  /** Whether the offsets of a topic may have holes. A record of any other topic is refused. */
  readonly topics: ReadonlyMap<string, OffsetRule>
  readonly progress: ArchiveProgress
  readonly store: Pick<ObjectStore, 'put'>
  /** URL of the archive table's place; asked at each event, so that an archive out of reach is an error of that event. */
  readonly location: () => Promise<string>
  /** Has what waits committed. */
  readonly requestCommit: () => Promise<void>
  readonly commit: CommitRule
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Writes a line of the log. */
  readonly print: (line: string) => void
}

/** When to have what waits committed, beside the schedule that does so each minute. */
export type CommitRule = { readonly afterMs: number; readonly afterBytes: number }

const CONSUMER = 'tidemark-archive'
/** The schedule of the committer comes as often. */
const SCHEDULE_MS = 60_000

/**
 * Writes an event's records to data files, each topic partition's by itself, and notes them in the ledger with its
 * progress. Throws when one of them is refused or fails, after the others are archived: the mapping delivers the event
 * again, and what is archived already is skipped.
 */
export function makeArchiveChanges(options: ArchiveChangesOptions): (event: MSKEvent) => Promise<void> {
  return async (event) => {
    const location = await options.location()
    const archived: Archived[] = []
    const settled = await Promise.allSettled(
      Object.values(event.records).map(async (records) => {
        archived.push(await archiveOne(options, location, records))
      }),
    )
    options.print(metricsLine('archive', options.now(), describeMetrics(archived)))
    if (archived.some(({ records }) => records > 0) && (await isCommitDue(options, archived))) {
      await options.requestCommit()
    }
    const failures = settled.filter((one) => one.status === 'rejected').map((one) => one.reason as Error)
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, failures.map((failure) => failure.message).join('; '))
  }
}

type Archived = { records: number; duplicates: number; files: number; bytes: number }

async function archiveOne(
  { topics, progress, store, now }: ArchiveChangesOptions,
  location: string,
  delivered: readonly MSKRecord[],
): Promise<Archived> {
  const { topic, partition: topicPartition } = delivered[0]!
  const rule = topics.get(topic)
  if (rule === undefined) throw new Error(`the function got a record of topic ${topic}, which it does not archive`)
  const key = { consumer: CONSUMER, topic, topicPartition }
  const known = await progress.read(key)
  // Only now: what all topic partitions hold, decoded at once, is more to look after than to do.
  const records = delivered.map(readDelivered)
  const decision = decideDelivery(known, records, rule)
  const fresh = decision.kind === 'apply' ? records.slice(decision.from) : []
  const files = makeDataFiles(location, fresh, now())
  // Before the transaction: it then waits for nothing. A crash in between leaves an object that nobody names.
  await Promise.all(files.map(({ path, content }) => store.put(path, content)))
  const outcome = await progress.advance(key, rule, records, fresh, files.map(withoutContent))
  switch (outcome.kind) {
    case 'stopped':
      throw new Error(`${topic}-${topicPartition} is stopped at offset ${outcome.atOffset}: ${outcome.reason}`)
    case 'duplicate':
      return { records: 0, duplicates: records.length, files: 0, bytes: 0 }
    case 'applied':
      return {
        records: outcome.effect.records,
        duplicates: outcome.duplicates,
        files: files.length,
        bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      }
  }
}

const withoutContent = ({ content: _, ...file }: DataFile): LedgerFile<DataFileMetrics> => file

/**
 * Whoever writes the first file that waits calls the committer, who waits for its time; those who come after it find it
 * at work. Should it have failed, what waits is overdue for the next one. Where the schedule is soon enough, it calls.
 */
async function isCommitDue({ progress, commit }: ArchiveChangesOptions, archived: Archived[]): Promise<boolean> {
  const waiting = await progress.waiting()
  const mine = archived.reduce((sum, { files }) => sum + files, 0)
  const first = waiting.files > 0 && waiting.files <= mine
  return (
    (first && commit.afterMs < SCHEDULE_MS) ||
    waiting.bytes >= commit.afterBytes ||
    (waiting.oldestAgeMs ?? 0) >= 2 * commit.afterMs
  )
}

function describeMetrics(archived: readonly Archived[]): Metric[] {
  const sum = (of: keyof Archived) => archived.reduce((total, one) => total + one[of], 0)
  return [
    { name: 'ArchivedRecords', unit: 'Count', value: sum('records') },
    { name: 'DuplicateRecords', unit: 'Count', value: sum('duplicates') },
    { name: 'ArchivedBytes', unit: 'Bytes', value: sum('bytes') },
  ]
}
