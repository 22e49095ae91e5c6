// Which error of Postgres stops one table instead of failing the whole batch?

import type { TableStop } from '#core/apply/batch-steps.ts'
import type { TableContract } from '#core/contract.ts'
import { isOfServer, isTransient, sqlState } from '../session/transient-error.ts'

/** One table cannot be written according to its contract, while the other tables can. */
export class TableFailureError extends Error {
  override readonly name = 'TableFailureError'
  readonly stop: TableStop

  constructor(
    table: Pick<TableStop, 'relation' | 'generation' | 'schema' | 'table'>,
    reason: string,
    how: Pick<TableStop, 'repair' | 'automatic'>,
    cause?: unknown,
  ) {
    super(reason, { cause })
    const { relation, generation, schema, table: name } = table
    this.stop = { relation, generation, schema, table: name, reason, repair: how.repair, automatic: how.automatic }
  }
}

/** A resync repairs the table, and is requested at once. */
export const readAgain = { repair: 'resync', automatic: true } as const

/** The cause is in the target. Once it is removed, the quarantined changes can be applied. */
export const acceptLater = { repair: 'accept', automatic: false } as const

/** The table cannot hold the change itself, so a resync helps only after the row has changed in the source. */
const readLater = { repair: 'resync', automatic: false } as const

const undefinedTable = '42P01'

const twiceInOneStatement = '21000'

/** SQLSTATE class 22: data exceptions. */
const ofValues = /^22/

/** Runs a statement about one table. An error that would come again stops this table, not the topic partition. */
export async function blaming<T>(contract: TableContract, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const state = sqlState(error)
    if (state === undefined || isTransient(error) || isOfServer(state)) throw error
    // Two records name one row by different keys that only Postgres knows to be equal. The caller then applies them one
    // after the other.
    if (state === twiceInOneStatement) throw error
    if (state === undefinedTable && (error as Error).message.includes(`tidemark_rows.t${contract.relation}_`)) {
      throw new TableFailureError(contract, 'its rows were dropped in the target', readAgain, error)
    }
    const { message, hint } = error as Error & { hint?: string }
    const reason = `${message} (SQLSTATE ${state})${hint === undefined ? '' : `: ${hint}`}`
    throw new TableFailureError(contract, reason, ofValues.test(state) ? readLater : acceptLater, error)
  }
}
