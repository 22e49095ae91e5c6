import type { TableStatus } from '../status/status.ts'
import type { ActionName } from './actions.ts'
import type { Time } from './values.ts'

/** A row of `GET /tables?search=…&state=…&after=…`, in the order of the names. */
export type ListedTable = Omit<TableStatus, 'state'> & {
  readonly state: TableStatus['state'] | 'not captured'
  /** Changes that history has of the last day, by operation; null where no history is kept, and until it was counted. */
  readonly changes: { readonly inserts: number; readonly updates: number; readonly deletes: number } | null
  /** Why it is stopped or not captured. */
  readonly reason: string | null
  readonly quarantined: number
}

/** A version of a table's contract, and what it did in the target. */
export type ContractVersion = {
  readonly version: number
  readonly epoch: number
  /** When the source wrote it; null if the source does not answer, or no longer has it. */
  readonly at: Time | null
  readonly table: string
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly isKey: boolean
    readonly isNullable: boolean
  }[]
  /** Against the version before; empty for the first. Each is a sentence such as `column note (text) was added`. */
  readonly differences: readonly string[]
  /** `in place` changed the table that there was; `new generation` read all rows again. */
  readonly effect: 'first' | 'in place' | 'new generation'
}

/** `GET /tables/<schema.table>`. */
export type TableDetail = {
  readonly table: ListedTable
  /** Newest first. */
  readonly contracts: readonly ContractVersion[]
  readonly history: { readonly isKept: boolean; readonly retention: string | null }
  /** Indexes that a user has declared. */
  readonly indexes: readonly { readonly name: string; readonly definition: string; readonly problem: string | null }[]
  /** Why it is stopped or not captured, and what resolves it. */
  readonly cures: readonly TableCure[]
}

/** A way to resolve what is wrong with a table. */
export type TableCure = {
  readonly reason: string
  /** What it does, in one sentence. */
  readonly does: string
  readonly command: string | null
  readonly sql: string | null
  readonly action: { readonly name: ActionName; readonly target: string } | null
}
