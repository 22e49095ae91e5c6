// Which record makes applying fail? The batch is halved until that record is alone, and it is quarantined.

import type pg from 'pg'
import type { RecordIdentity } from '#core/delivery.ts'
import { isLockTimeout } from '../session/lock-wait.ts'
import { isOfServer, isTransient, sqlState } from '../session/transient-error.ts'
import type { ApplyOutcome } from './apply-transaction.ts'
import { type ProgressKey, recordStop } from './progress.ts'

/** How the records of one topic partition are applied, and what is done with a record that cannot be applied. */
export type Halving<R, Effect> = {
  /** Applies records in one transaction. */
  readonly apply: (records: readonly R[]) => Promise<ApplyOutcome<Effect>>
  /** Does everything that `apply` does apart from the records, and rolls it back. Rejects if that fails. */
  readonly applyNothing: () => Promise<void>
  /** Quarantines a record and moves progress past it, in one transaction. */
  readonly quarantineRecord: (record: R, error: Error) => Promise<ApplyOutcome<Effect>>
  readonly merge: (first: Effect, second: Effect) => Effect
}

/** Applies a delivery by halves. An error that fails the whole delivery and is not transient is stored as a stop. */
export async function applyDelivery<R extends RecordIdentity, Effect>(
  pool: pg.Pool,
  key: ProgressKey,
  records: readonly R[],
  halving: Halving<R, Effect>,
): Promise<ApplyOutcome<Effect>> {
  try {
    return await applyByHalves(records, halving)
  } catch (error) {
    if (!isTransient(error)) await recordStop(pool, key, records[0]?.offset ?? 0, (error as Error).message)
    throw error
  }
}

/**
 * Applies the records. If that fails for a reason that would come again, the two halves are applied one after the
 * other, and so on down to the single record that fails, which is quarantined, so that it does not hold up the records
 * behind it. Rejects for a transient reason, or for one that has nothing to do with the records.
 */
export async function applyByHalves<R, Effect>(
  records: readonly R[],
  halving: Halving<R, Effect>,
): Promise<ApplyOutcome<Effect>> {
  try {
    return await halving.apply(records)
  } catch (error) {
    if (records.length === 0 || !mayBeOfRecords(error)) throw error
    // If nothing at all can be applied, this throws. Otherwise valid records would be quarantined one by one.
    await halving.applyNothing()
    return records.length === 1 ? await applyAlone(records, error, halving) : await applyHalves(records, halving)
  }
}

/**
 * A first error may have been transient after all, so a record is quarantined only if it fails twice for the same
 * reason.
 */
async function applyAlone<R, Effect>(
  records: readonly R[],
  { message }: Error,
  halving: Halving<R, Effect>,
): Promise<ApplyOutcome<Effect>> {
  try {
    return await halving.apply(records)
  } catch (error) {
    if (!isOfOneRecord(error) || error.message !== message) throw error
    return halving.quarantineRecord(records[0]!, error)
  }
}

async function applyHalves<R, Effect>(
  records: readonly R[],
  halving: Halving<R, Effect>,
): Promise<ApplyOutcome<Effect>> {
  const middle = Math.ceil(records.length / 2)
  const first = await applyByHalves(records.slice(0, middle), halving)
  if (first.kind === 'stopped') return first
  const second = await applyByHalves(records.slice(middle), halving)
  if (second.kind === 'stopped' || first.kind === 'duplicate') return second
  if (second.kind === 'duplicate') return first
  const effect = halving.merge(first.effect, second.effect)
  return { kind: 'applied', duplicates: first.duplicates + second.duplicates, effect }
}

/** Errors in the configuration of the server, and damaged data, do not depend on the records either. */
const notOfRecords = /^(F0|XX001|XX002)/

/** A statement that was cancelled at its time limit may have had too many records, so halves are tried. */
const cancelled = '57014'

/** Whether an error of applying a single record is caused by that record. */
export const isOfOneRecord = (error: unknown): error is Error =>
  // A time limit does not show that a single record is wrong: the server may be slow, or another session may hold a
  // lock.
  mayBeOfRecords(error) && sqlState(error) !== cancelled

function mayBeOfRecords(error: unknown): error is Error {
  if (!(error instanceof Error) || isTransient(error) || isLockTimeout(error)) return false
  const state = sqlState(error)
  return state === undefined || state === cancelled || !(isOfServer(state) || notOfRecords.test(state))
}
