import type pg from 'pg'
import { sqlState } from '../session/transient-error.ts'
import { TableFailureError } from './table-failure.ts'

/**
 * Declared indexes without which a table is written, and why. A row may be too large for an index, or its expression
 * may fail on the row, although the source has accepted the row.
 */
export type SuspendedIndexes = { readonly names: readonly string[]; readonly reason: string }

/** Drops the indexes in the transaction that is applied without them, and notes why. */
export async function suspendIndexes(client: pg.PoolClient, { names, reason }: SuspendedIndexes): Promise<void> {
  await client.query('select tidemark.suspend_indexes($1, $2)', [names, reason])
}

/**
 * Why a table failed. `indexes`: a batch is applied without these. `passing`: the cause is gone, as when an index that
 * another session was making has been given up, so the batch is applied again. `lasting`: it comes again.
 */
export type FailureCause =
  | { readonly kind: 'indexes'; readonly failing: readonly SuspendedIndexes[] }
  | { readonly kind: 'passing' }
  | { readonly kind: 'lasting' }

/**
 * Finds the cause of a failure. A declared index is one if the batch fails with it alone, and does not without all
 * of them. `rehearse` applies the batch without some indexes and rolls it back.
 */
export async function findFailureCause(
  pool: pg.Pool,
  { cause, stop }: TableFailureError,
  rehearse: (without: SuspendedIndexes) => Promise<void>,
): Promise<FailureCause> {
  if (sqlState(cause) === undefined) return { kind: 'lasting' }
  const { rows } = await pool.query<{ indexes: string[] }>('select tidemark.made_indexes($1, $2) as indexes', [
    stop.relation,
    stop.generation,
  ])
  const { indexes } = rows[0]!
  const failureWithout = async (names: string[]): Promise<string | undefined> => {
    try {
      await rehearse({ names, reason: '' })
      return undefined
    } catch (error) {
      // Tables fail in the order in which they are written, so this one was written before another one failed.
      if (error instanceof TableFailureError) return error.stop.relation === stop.relation ? error.message : undefined
      throw error
    }
  }
  if ((await failureWithout(indexes)) !== undefined) return { kind: 'lasting' }
  const failing: SuspendedIndexes[] = []
  for (const index of indexes) {
    const reason = await failureWithout(indexes.filter((each) => each !== index))
    if (reason !== undefined) failing.push({ names: [index], reason })
  }
  return failing.length > 0 ? { kind: 'indexes', failing } : { kind: 'passing' }
}
