import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import type { LedgerFile } from '#adapters/postgres/archive/ledger-file.ts'
import type { ApplyOutcome } from '#adapters/postgres/delivery/apply-transaction.ts'
import type { ProgressKey } from '#adapters/postgres/delivery/progress.ts'
import { sqlState } from '#adapters/postgres/session/transient-error.ts'
import type { OffsetRule, Progress } from '#core/delivery.ts'
import type { DeliveredRecord } from './archived-record.ts'
import type { DataFile, makeDataFiles, RowForm } from './data-files.ts'

/** Reads and advances how far a topic partition is archived. */
export type ArchiveProgress = {
  read(key: ProgressKey): Promise<Progress>
  /**
   * Notes the files of the records from the first one of `fresh` on, and advances the progress. Changes nothing when
   * another invocation was faster.
   */
  advance(
    key: ProgressKey,
    rule: OffsetRule,
    records: readonly DeliveredRecord[],
    fresh: readonly DeliveredRecord[],
    files: readonly LedgerFile<DataFileMetrics>[],
  ): Promise<ApplyOutcome<{ records: number }>>
}

/** How much has been archived so far. */
export type Archived = { records: number; duplicates: number; files: number; bytes: number; raw: number }

/** A delivery of one topic partition, and what is needed to archive it. */
export type ArchiveDelivery = {
  readonly key: ProgressKey
  readonly rule: OffsetRule
  /** URL of the archive table's location. */
  readonly location: string
  readonly store: Pick<ObjectStore, 'put'>
  readonly progress: Pick<ArchiveProgress, 'advance'>
  readonly now: () => number
  readonly makeFiles: typeof makeDataFiles
  /** It grows as records are archived, also when the rest of them fails. */
  readonly archived: Archived
}

/**
 * Archives the records from index `from` on; those before it are archived already. If records cannot be written for a
 * lasting reason, each half of them is tried by itself. A single record that still fails is archived as its bytes.
 * Throws when the topic partition is stopped, and on any other failure; what was archived before that stays.
 */
export async function archiveDelivery(
  delivery: ArchiveDelivery,
  records: readonly DeliveredRecord[],
  from: number,
  form: RowForm = 'parsed',
): Promise<void> {
  try {
    await archiveAtOnce(delivery, records, from, form)
  } catch (error) {
    if (form === 'raw' || !isAboutRecords(error)) throw error
    if (records.length - from <= 1) return archiveDelivery(delivery, records, from, 'raw')
    const half = from + Math.ceil((records.length - from) / 2)
    await archiveDelivery(delivery, records.slice(0, half), from)
    await archiveDelivery(delivery, records.slice(half), 0)
  }
}

async function archiveAtOnce(
  { key, rule, location, store, progress, now, makeFiles, archived }: ArchiveDelivery,
  records: readonly DeliveredRecord[],
  from: number,
  form: RowForm,
): Promise<void> {
  const fresh = records.slice(from)
  const files = filesOf(() => makeFiles(location, fresh, now(), form))
  // Files are stored before the transaction, so that it does not wait for the store. A crash in between leaves an
  // object that nothing refers to.
  await Promise.all(files.map(({ path, content }) => store.put(path, content)))
  const outcome = await progress.advance(key, rule, records, fresh, files.map(withoutContent))
  if (outcome.kind === 'stopped') throw new StoppedTopicPartitionError(key, outcome)
  if (outcome.kind === 'duplicate') {
    archived.duplicates += records.length
    return
  }
  archived.records += outcome.effect.records
  archived.duplicates += outcome.duplicates
  archived.files += files.length
  archived.bytes += files.reduce((sum, { bytes }) => sum + bytes, 0)
  if (form === 'raw') archived.raw += fresh.length
}

const withoutContent = ({ content: _, ...file }: DataFile): LedgerFile<DataFileMetrics> => file

/** The topic partition is stopped, and the reason is stored. */
export class StoppedTopicPartitionError extends Error {
  override readonly name = 'StoppedTopicPartitionError'

  constructor({ topic, topicPartition }: ProgressKey, { atOffset, reason }: { atOffset: number; reason: string }) {
    super(`${topic}-${topicPartition} is stopped at offset ${atOffset}: ${reason}`)
  }
}

/** No data file can be made of the records. */
class UnwritableRecordsError extends Error {
  override readonly name = 'UnwritableRecordsError'
}

function filesOf(make: () => DataFile[]): DataFile[] {
  try {
    return make()
  } catch (cause) {
    throw new UnwritableRecordsError(`no data file can be made of the records: ${(cause as Error).message}`, { cause })
  }
}

/**
 * SQLSTATE classes of errors in the data of a statement: data exceptions (22), and exceeded limits of the server (54).
 */
const aboutData = /^(22|54)/

/** Whether the records are the cause. Then the failure is lasting: when they are delivered again, they fail again. */
const isAboutRecords = (error: unknown): boolean =>
  error instanceof UnwritableRecordsError || aboutData.test(sqlState(error) ?? '')
