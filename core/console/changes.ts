import type { Cell, KeyCells, LsnText, Page, Time } from './values.ts'

export const CHANGE_OPS = ['insert', 'update', 'delete', 'read', 'truncate'] as const
/** `read` is a row that a snapshot has read. */
export type ChangeOp = (typeof CHANGE_OPS)[number]

/** A column before and after a change. `before` and `after` are absent where the row did not exist. */
export type ColumnChange = {
  readonly name: string
  /** As Postgres writes it, such as `numeric(10,2)`. */
  readonly type: string
  readonly before?: Cell
  readonly after?: Cell
  /** Of an update whose row before is known; otherwise false. */
  readonly isChanged: boolean
}

/** A change of a row, as history keeps it. */
export type ShownChange = {
  /** Names the change; opaque. */
  readonly id: string
  /** `schema.table`, unquoted. */
  readonly table: string
  readonly op: ChangeOp
  /** Null for rows without a key and for truncates. */
  readonly key: KeyCells | null
  readonly committedAt: Time
  readonly epoch: number
  readonly transaction: string | null
  readonly lsn: LsnText
  readonly who: string | null
  readonly application: string | null
  readonly why: string | null
  /** Further members of the audit message, as JSON. */
  readonly details: string | null
  /**
   * In lists the changed columns of an update, or else the first columns of the row, at most 24, and with cut values. In
   * `GET /changes/<id>` all columns of the table.
   */
  readonly columns: readonly ColumnChange[]
  /** How many columns the table has. */
  readonly columnCount: number
  readonly changedCount: number
}

/** The most changes that one answer of `GET /changes` and of the other lists has, and those of the tail. */
export const [MOST_LISTED, MOST_TAIL] = [200, 500] as const

/** `GET /changes`: newest first. All given conditions hold. */
export type ChangeFilter = {
  /** `schema.table`; a former name finds the table too. */
  readonly table?: string
  /** A JSON object of the key's columns; needs `table`. */
  readonly key?: string
  readonly op?: ChangeOp
  /** Commit time, from `since` and before `until`. */
  readonly since?: Time
  readonly until?: Time
  readonly transaction?: string
  /** Part of who, application or why, in any case. */
  readonly who?: string
}

/**
 * A search of rare changes ends after a while: `searchedUntil` is the commit time down to which it has looked, and `next`
 * goes on from there, even if `items` is empty.
 */
export type ChangePage = Page<ShownChange> & { readonly searchedUntil: Time | null }

/**
 * `GET /changes/tail?after=<cursor>`: the changes that were applied since the cursor of the answer before, oldest first.
 * Without `after` it has the newest ones. Where more than `limit` have come, it has the newest of them, and `skipped` says
 * how many are left out.
 */
export type ChangeTail = {
  readonly items: readonly ShownChange[]
  readonly cursor: string
  readonly skipped: number
}

/** `GET /rows?table=…&key=…`: the whole life of one row, newest first, across changes of its key. */
export type RowLife = {
  readonly table: string
  /** The keys that the row had, newest first. */
  readonly keys: readonly KeyCells[]
  readonly changes: readonly ShownChange[]
  readonly next: string | null
  /** How long history is kept, such as `30 days`; null if for ever. */
  readonly retention: string | null
  /** How earlier changes are found: in the archive by this SQL; null where there is no archive. */
  readonly archiveSql: string | null
  /** The row as it is in the target now; null if there is none. */
  readonly now: readonly { readonly name: string; readonly cell: Cell }[] | null
}

/** `GET /transactions/<epoch>/<transaction>?at=<commit time>`: the changes of a transaction in their order. */
export type TransactionChanges = {
  readonly epoch: number
  readonly transaction: string
  readonly committedAt: Time
  readonly who: string | null
  readonly application: string | null
  readonly why: string | null
  readonly changes: readonly ShownChange[]
  readonly next: string | null
}
