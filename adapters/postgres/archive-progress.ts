import type pg from 'pg'
import type { OffsetRule, RecordIdentity } from '#core/delivery.ts'
import { type ApplyOutcome, applyInTransaction, withoutSettings } from './apply-transaction.ts'
import { type LedgerFile, noteRange } from './archive-ledger.ts'
import { readWaiting } from './archive-waiting.ts'
import { type ProgressKey, readProgress, recordStop } from './progress.ts'

/** Another invocation has archived some of the same records meanwhile; delivered again, they are told apart. */
export class OvertakenError extends Error {
  override readonly name = 'OvertakenError'
  readonly retryable = true
}

/**
 * Notes in the ledger that the files hold `fresh`, the records that the caller found new, and advances the topic
 * partition's progress with it: both or neither. Throws an OvertakenError when others of `records` are new by then.
 */
export function advanceArchive<Metrics, R extends RecordIdentity>(
  pool: pg.Pool,
  key: ProgressKey,
  rule: OffsetRule,
  records: readonly R[],
  fresh: readonly R[],
  files: readonly LedgerFile<Metrics>[],
): Promise<ApplyOutcome<{ records: number }>> {
  return applyInTransaction(pool, key, rule, records, {
    readSettings: withoutSettings,
    apply: async (client, found, progress) => {
      if (found.length !== fresh.length) {
        throw new OvertakenError(
          `${key.topic}-${key.topicPartition} was archived to offset ${progress.nextOffset - 1} by another invocation meanwhile`,
        )
      }
      const range = { from: progress.nextOffset, to: found.at(-1)!.offset + 1, records: found.length }
      await noteRange(client, key, range, files)
      return { effect: { records: found.length }, committedAtMs: null, beacon: undefined }
    },
  })
}

type Delivery<Metrics, R> = [
  key: ProgressKey,
  rule: OffsetRule,
  records: readonly R[],
  fresh: readonly R[],
  files: readonly LedgerFile<Metrics>[],
]

/** The first and the last offset of some records. */
export type OffsetSpan = { readonly first: number; readonly last: number }

/** Stores why the records of a delivery are not archived, until they are; nothing when all of them are by now. */
async function noteFailure(pool: pg.Pool, key: ProgressKey, { first, last }: OffsetSpan, reason: string) {
  const { nextOffset } = await readProgress(pool, key)
  if (nextOffset > last) return
  // A message may quote the record, and Postgres takes no NUL.
  await recordStop(pool, key, Math.max(first, nextOffset), reason.replaceAll('\0', '\\0'))
}

/** How far topic partitions are archived, in Postgres, as archive-changes asks and advances it. */
export const makeArchiveProgress = (pool: pg.Pool) => ({
  read: (key: ProgressKey) => readProgress(pool, key),
  advance: <Metrics, R extends RecordIdentity>(...delivery: Delivery<Metrics, R>) => advanceArchive(pool, ...delivery),
  noteFailure: (key: ProgressKey, offsets: OffsetSpan, reason: string) => noteFailure(pool, key, offsets, reason),
  waiting: () => readWaiting(pool),
})
