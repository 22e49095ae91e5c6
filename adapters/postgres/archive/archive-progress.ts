import type pg from 'pg'
import type { OffsetRule, RecordIdentity } from '#core/delivery.ts'
import { type ApplyOutcome, applyInTransaction, withoutSettings } from '../delivery/apply-transaction.ts'
import { type ProgressKey, readProgress, recordStop } from '../delivery/progress.ts'
import { type LedgerFile, noteRange } from './archive-ledger.ts'
import { readWaiting } from './archive-waiting.ts'

/**
 * Another invocation has archived some of the same records meanwhile, or somebody has given the archive another table;
 * delivered again, they are told apart.
 */
export class OvertakenError extends Error {
  override readonly name = 'OvertakenError'
}

/**
 * Notes in the ledger that the files hold `fresh`, the records that the caller found new, and advances the topic
 * partition's progress with it: both or neither. Throws an OvertakenError when others of `records` are new by then, or when
 * the archive has another table than the one that the files were written for.
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

/** After the range is noted: who begins a renewal waits for whoever has noted one, and the next one sees the renewal. */
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
