import type pg from 'pg'
import type { OffsetRule, RecordIdentity } from '#core/delivery.ts'
import { type ApplyOutcome, applyInTransaction, withoutSettings } from '../delivery/apply-transaction.ts'
import { type ProgressKey, readProgress, recordStop } from '../delivery/progress.ts'
import { readWaiting } from './archive-waiting.ts'
import { noteRange } from './archived-ranges.ts'
import type { LedgerFile } from './ledger-file.ts'

/**
 * Another invocation has archived some of the same records, or the archive has got another table. When the records are
 * delivered again, the new ones are found.
 */
export class OvertakenError extends Error {
  override readonly name = 'OvertakenError'
}

/**
 * Notes in the ledger that the files hold `fresh`, the records that the caller found to be new, and advances the topic
 * partition's progress in the same transaction. Throws an OvertakenError if other records of `records` are new now, or
 * if the archive has another table than the one that the files were written for.
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
      await checkTable(client, files)
      return { effect: { records: found.length }, committedAtMs: null, beacon: undefined }
    },
  })
}

/**
 * This check comes after the range was noted. The beginning of a renewal waits for transactions that have noted a
 * range, and later transactions see the renewal.
 */
async function checkTable(client: pg.PoolClient, files: readonly Pick<LedgerFile<unknown>, 'path'>[]): Promise<void> {
  const { rows } = await client.query<{ location: string | null; isRenewed: boolean }>(
    `select (select t.location from tidemark.archive_table t) as location,
       exists (select from tidemark.archive_renewal) as "isRenewed"`,
  )
  const { location, isRenewed } = rows[0]!
  const place = location === null ? '' : `${location.replace(/\/+$/, '')}/`
  if (!isRenewed && files.every(({ path }) => path.startsWith(place))) return
  throw new OvertakenError('the archive has begun again with a new table meanwhile')
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

/**
 * Stores why the records of a delivery are not archived. Nothing is stored if another invocation has archived all of
 * them.
 */
async function noteFailure(pool: pg.Pool, key: ProgressKey, { first, last }: OffsetSpan, reason: string) {
  const { nextOffset } = await readProgress(pool, key)
  if (nextOffset > last) return
  // The message may quote the record, and Postgres refuses NUL in a text.
  await recordStop(pool, key, Math.max(first, nextOffset), reason.replaceAll('\0', '\\0'))
}

/** The progress of the archive in Postgres, with the operations that archive-changes needs. */
export const makeArchiveProgress = (pool: pg.Pool) => ({
  read: (key: ProgressKey) => readProgress(pool, key),
  advance: <Metrics, R extends RecordIdentity>(...delivery: Delivery<Metrics, R>) => advanceArchive(pool, ...delivery),
  noteFailure: (key: ProgressKey, offsets: OffsetSpan, reason: string) => noteFailure(pool, key, offsets, reason),
  waiting: () => readWaiting(pool),
})
