import type pg from 'pg'
import type { RecordIdentity } from '#core/delivery.ts'
import { isLockTimeout } from '../session/lock-wait.ts'
import { isOfServer, isTransient, sqlState } from '../session/transient-error.ts'
import type { ApplyOutcome } from './apply-transaction.ts'
import { type ProgressKey, recordStop } from './progress.ts'

/** How the records of one topic partition are applied, and what is done with one that cannot be. */
export type Halving<R, Effect> = {
  /** Applies records in one transaction. */
  readonly apply: (records: readonly R[]) => Promise<ApplyOutcome<Effect>>
  /** Does what `apply` does apart from the records, and rolls it back. Rejects where that fails. */
  readonly applyNothing: () => Promise<void>
  /** Keeps a record instead of applying it, and moves progress past it, in one transaction. */
  readonly setAside: (record: R, error: Error) => Promise<ApplyOutcome<Effect>>
  readonly merge: (first: Effect, second: Effect) => Effect
}

/** Applies a delivery by halves. What keeps it from being applied at all, and may not pass, is stored as a stop. */
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
 * Applies the records. Where that fails for a reason that will come again, applies the first half and then the second one,
 * and so on down to the record that fails by itself, which is set aside: no record holds up those behind it. Rejects for a
 * reason that may pass, or that has nothing to do with the records.
 */
export async function applyByHalves<R, Effect>(
  records: readonly R[],
  halving: Halving<R, Effect>,
): Promise<ApplyOutcome<Effect>> {
  try {
    return await halving.apply(records)
  } catch (error) {
    if (records.length === 0 || !mayBeOfRecords(error)) throw error
    // Where nothing can be applied, records would be set aside one by one that are as they should be.
    await halving.applyNothing()
    return records.length === 1 ? await applyAlone(records, error, halving) : await applyHalves(records, halving)
  }
}

/** What failed once may have been passing after all: a record is set aside where it fails twice for one reason. */
async function applyAlone<R, Effect>(
  records: readonly R[],
  { message }: Error,
  halving: Halving<R, Effect>,
): Promise<ApplyOutcome<Effect>> {
  try {
    return await halving.apply(records)
  } catch (error) {
    if (!isOfOneRecord(error) || error.message !== message) throw error
    return halving.setAside(records[0]!, error)
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

/** Configuration and damage of the server say nothing of what it was sent, either. */
const notOfRecords = /^(F0|XX001|XX002)/

/** A statement that was cancelled at its time limit may have had too many records. */
const cancelled = '57014'

/** Whether an error that one record was applied with is that record's. */
export const isOfOneRecord = (error: unknown): error is Error =>
  // A limit of time says nothing of a single record: the server is slow, or somebody holds what it needs.
  mayBeOfRecords(error) && sqlState(error) !== cancelled

function mayBeOfRecords(error: unknown): error is Error {
  if (!(error instanceof Error) || isTransient(error) || isLockTimeout(error)) return false
  const state = sqlState(error)
  return state === undefined || state === cancelled || !(isOfServer(state) || notOfRecords.test(state))
}
