import type { ArchiveObservation, WindowsOfDefinition } from '../status/observations.ts'
import type { Time } from './values.ts'

/** `GET /archive`. */
export type ArchiveView = {
  readonly now: ArchiveObservation
  /** Such as `tidemark.archive`. */
  readonly table: string
  readonly location: string
  /** Newest first, at most 200. */
  readonly snapshots: readonly {
    readonly id: string
    readonly at: Time
    readonly operation: string
    readonly addedRecords: string
    readonly totalRecords: string
    readonly totalFiles: string
  }[]
  /** Files of the newest table snapshot, largest first, at most 200: of the 200 manifests with the most records. */
  readonly files: readonly {
    readonly path: string
    readonly bytes: number
    readonly records: number
    readonly partition: string
  }[]
}

/** `POST /archive/query` with `{ sql }`. Values are texts, as the engine writes them. */
export type QueryResult = {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly rows: readonly (readonly (string | null)[])[]
  /** Whether rows beyond the limit were left out. */
  readonly isCut: boolean
  readonly tookMs: number
}

/** `GET /windows`. */
export type WindowsView = { readonly definitions: readonly WindowsOfDefinition[] }

/**
 * `GET /windows/<name>/series?measure=<column>&group=<value>…&from=…&to=…`: for a chart. Without groups it has the sums of
 * all groups and the ten largest ones.
 */
export type WindowSeries = {
  readonly name: string
  /** Columns that can be drawn, and those that a group is named by. */
  readonly measures: readonly string[]
  readonly groupedBy: readonly string[]
  /** Begins of windows, ascending, as Postgres writes them. */
  readonly starts: readonly string[]
  readonly lines: readonly { readonly group: string; readonly values: readonly (number | null)[] }[]
  /** At most 200 windows, newest first, with all their columns and their state. */
  readonly newest: readonly Readonly<Record<string, string | null>>[]
}
