// Which transaction is around a delivery, and when is it tried again?

import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import type { FenceState } from '#core/apply/change-fence.ts'
import { decideDelivery, type OffsetRule, type Progress, type RecordIdentity } from '#core/delivery.ts'
import type { Beacon } from '#core/wire/change.ts'
import { beginStatement, isLockTimeout, type LockWait, watchLocks } from '../session/lock-wait.ts'
import { together } from '../session/statement.ts'
import { isTransient } from '../session/transient-error.ts'
import {
  advanceProgress,
  clearStop,
  clearStopBefore,
  lockProgress,
  type ProgressKey,
  recordStop,
  type StoredProgress,
} from './progress.ts'

/** The outcome of applying a delivery of one topic partition. */
export type ApplyOutcome<Effect> =
  | { readonly kind: 'applied'; readonly duplicates: number; readonly effect: Effect }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'stopped'; readonly atOffset: number; readonly reason: string }

/** The result of the work inside the transaction. */
export type AppliedWork<Effect> = {
  readonly effect: Effect
  /** Source commit time of the last streamed change, in ms since 1970, or null. */
  readonly committedAtMs: number | null
  readonly beacon: Beacon | undefined
  /** The fence of the streamed changes, if the consumer keeps one. */
  readonly fence?: FenceState | undefined
}

/** The work that applies the new records of a delivery, inside the transaction that holds the progress row. */
export type TransactionWork<R, Effect, Settings = void> = {
  /** Reads the settings, after the progress row is locked. */
  readonly readSettings: (client: pg.PoolClient) => Promise<Settings>
  readonly apply: (
    client: pg.PoolClient,
    fresh: readonly R[],
    progress: StoredProgress,
    settings: Settings,
  ) => Promise<AppliedWork<Effect>>
}

/** For work that has no settings. */
export const withoutSettings = async (): Promise<void> => undefined

/** The delivery is refused: its offset and the reason are stored, and the mapping delivers it again. */
export class RefusedDeliveryError extends Error {
  override readonly name = 'RefusedDeliveryError'
  readonly atOffset: number
  /** The number of records before the offset, which can be applied. */
  readonly applicable: number

  constructor(atOffset: number, reason: string, applicable = 0) {
    super(reason)
    this.atOffset = atOffset
    this.applicable = applicable
  }
}

/** The number of attempts of a transaction that fails for a transient reason. */
const attempts = 5

/**
 * Applies the new records of one topic partition and its progress in one transaction. Deliveries of the same topic
 * partition run one after the other, because each locks the progress row. A delivery without records does waiting work,
 * such as applying the quarantined records of an accepted table. If a delivery has a gap, the records before it are
 * applied first, so that skipping the gap loses only what is missing. A transient error is retried; others are thrown.
 * If `wait` is given, a lock timeout is thrown too, so that the connection is free for others meanwhile.
 */
export async function applyInTransaction<R extends RecordIdentity, Effect, Settings>(
  pool: pg.Pool,
  key: ProgressKey,
  rule: OffsetRule,
  records: readonly R[],
  work: TransactionWork<R, Effect, Settings>,
  wait?: LockWait,
): Promise<ApplyOutcome<Effect>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await applyOnce(pool, key, rule, records, work, wait)
    } catch (error) {
      if (error instanceof RefusedDeliveryError) {
        if (error.applicable > 0) {
          const before = await applyInTransaction(pool, key, rule, records.slice(0, error.applicable), work, wait)
          if (before.kind === 'stopped') return before
        }
        await recordStop(pool, key, error.atOffset, error.message)
        return { kind: 'stopped', atOffset: error.atOffset, reason: error.message }
      }
      const isLeft = wait !== undefined && isLockTimeout(error)
      if (isLeft || !isTransient(error) || attempt === attempts) throw error
      await delay(2 ** attempt * 25 * (0.5 + Math.random()))
    }
  }
}

/**
 * Runs the work for the new records of a delivery, or for none, in a transaction that is rolled back. Rejects if the
 * work does. If the delivery has a gap, the records before it count.
 */
export async function rehearseInTransaction<R extends RecordIdentity, Settings>(
  pool: pg.Pool,
  key: ProgressKey,
  rule: OffsetRule,
  records: readonly R[],
  work: TransactionWork<R, unknown, Settings>,
  wait?: LockWait,
): Promise<void> {
  const client = await pool.connect()
  const watch = watchLocks(client, wait)
  let broken: Error | undefined
  try {
    const { progress, settings } = await begin(client, key, work, wait)
    await work.apply(client, freshOf(progress, records, rule), progress, settings)
  } catch (error) {
    throw watch.explain(error)
  } finally {
    watch.end()
    broken = await rollBack(client)
    client.release(broken)
  }
}

/** The new records of a delivery that can be applied. */
function freshOf<R extends RecordIdentity>(
  progress: StoredProgress,
  records: readonly R[],
  rule: OffsetRule,
): readonly R[] {
  if (records.length === 0) return records
  const decision = decideDelivery(basisOf(progress, records), records, rule)
  if (decision.kind === 'stop') return freshOf(progress, records.slice(0, decision.applicable), rule)
  return decision.kind === 'duplicate' ? [] : records.slice(decision.from)
}

async function applyOnce<R extends RecordIdentity, Effect, Settings>(
  pool: pg.Pool,
  key: ProgressKey,
  rule: OffsetRule,
  records: readonly R[],
  work: TransactionWork<R, Effect, Settings>,
  wait: LockWait | undefined,
): Promise<ApplyOutcome<Effect>> {
  const client = await pool.connect()
  const watch = watchLocks(client, wait)
  let broken: Error | undefined
  try {
    const { progress, settings } = await begin(client, key, work, wait)
    const decision = decideDelivery(basisOf(progress, records), records, rule)
    if (decision.kind === 'stop')
      throw new RefusedDeliveryError(decision.atOffset, decision.reason, decision.applicable)
    if (decision.kind === 'duplicate') {
      // Another delivery has applied the records at which the topic partition had stopped.
      if (progress.stopped) await clearStopBefore(client, key, progress.nextOffset)
      await client.query('commit')
      return decision
    }
    const fresh = records.slice(decision.from)
    const { effect, committedAtMs, beacon, fence } = await work.apply(client, fresh, progress, settings)
    const last = fresh.at(-1)
    if (last === undefined) {
      if (progress.stopped) await clearStopBefore(client, key, progress.nextOffset)
      await client.query('commit')
      return { kind: 'applied', duplicates: 0, effect }
    }
    await together(client, [
      () =>
        advanceProgress(client, key, {
          nextOffset: last.offset + 1,
          lastDigest: last.digest(),
          newestTimestampMs: fresh.reduce((newest, record) => Math.max(newest, record.timestampMs), 0),
          committedAtMs,
          beacon,
          fence,
        }),
      () => (progress.stopped ? clearStop(client, key) : undefined),
      // If an earlier statement failed, this commit rolls back.
      () => client.query('commit'),
    ])
    return { kind: 'applied', duplicates: decision.from, effect }
  } catch (error) {
    broken = await rollBack(client)
    throw watch.explain(error)
  } finally {
    watch.end()
    client.release(broken)
  }
}

/**
 * Begins the transaction, locks the progress row, and reads the settings after the lock. All three are sent together.
 */
async function begin<Settings>(
  client: pg.PoolClient,
  key: ProgressKey,
  { readSettings }: TransactionWork<never, unknown, Settings>,
  wait: LockWait | undefined,
): Promise<{ progress: StoredProgress; settings: Settings }> {
  const [, progress, settings] = await together(client, [
    () => client.query(beginStatement(wait)),
    () => lockProgress(client, key),
    () => readSettings(client),
  ])
  return { progress, settings }
}

/** The progress with which a delivery is compared. After a rebase the delivery is compared only with itself. */
function basisOf(progress: StoredProgress, records: readonly RecordIdentity[]): Progress {
  if (!progress.rebased || records.length === 0) return progress
  return { nextOffset: records[0]!.offset, lastDigest: null, newestTimestampMs: null }
}

/**
 * Rolls back. Returns the error if the connection is unusable: the pool then closes it, which ends the transaction too.
 */
async function rollBack(client: pg.PoolClient): Promise<Error | undefined> {
  try {
    await client.query('rollback')
    return undefined
  } catch (error) {
    return error as Error
  }
}
