// What does a change of a keyless table do: one row less, one row more, or both?

import { unavailable, ValueError } from '../column-codec.ts'
import { parseReadSnapshot, type ReadSnapshot, wasRead } from '../read-snapshot.ts'
import { decodeRow, imageOf, type RowValue } from '../tables/row-write.ts'
import type { AppliedTable, TableRegister } from '../tables/table-register.ts'
import type { ReadBeacon, RowChange, WireRow } from '../wire/change.ts'
import type { KeylessLedger, KeylessPlace } from './keyless-ledger.ts'

/** A change of a keyless table: one row less, one row more, or both. */
export type KeylessChange = {
  readonly change: RowChange
  readonly offset: number
  /** Null for a row that a snapshot read. */
  readonly place: KeylessPlace | null
  readonly before: readonly RowValue[] | undefined
  readonly after: readonly RowValue[] | undefined
}

/** What a batch does to a keyless table. */
export type KeylessWrites = {
  readonly table: AppliedTable
  /** Whether all its rows are deleted first, because it was truncated or is read again. */
  readonly cleared: boolean
  /** The database snapshot in which it is read; undefined when no snapshot begins here. */
  readonly readSnapshot: string | undefined
  readonly changes: KeylessChange[]
  /** Whether history keeps them. */
  readonly logged: boolean
}

/** What a topic partition knows about keyless tables. Only one topic partition has their records. */
export type KeylessProgress = {
  readonly ledger: KeylessLedger
  /** By generation, the database snapshot in which the rows were read. */
  readonly readSnapshots: ReadonlyMap<string, ReadSnapshot>
}

/** Identifies a generation of a relation. */
export const generationOf = ({ contract }: AppliedTable): string => `${contract.relation} ${contract.generation}`

/** The keyless tables that are read by the snapshot which begins with this beacon. */
export function tablesRead(register: TableRegister, { snapshotOf }: ReadBeacon): AppliedTable[] {
  return [...register.applied()].filter(
    ({ keyPlaces, contract: { relation, generation } }) =>
      keyPlaces.length === 0 &&
      (snapshotOf === null || (snapshotOf.relation === relation && snapshotOf.generation === generation)),
  )
}

/** What is known once the table is read in a database snapshot. Throws a RangeError when the text is not one. */
export function withReadSnapshot(
  progress: KeylessProgress,
  table: AppliedTable,
  readSnapshot: string,
): KeylessProgress {
  const readSnapshots = new Map(progress.readSnapshots)
  return { ...progress, readSnapshots: readSnapshots.set(generationOf(table), parseReadSnapshot(readSnapshot)) }
}

/**
 * The change to count; undefined when it was applied before or is part of the rows that were read. Changes the ledger.
 * Throws a ValueError when the change does not fit the contract.
 */
export function keylessChange(
  progress: KeylessProgress,
  table: AppliedTable,
  change: RowChange,
  offset: number,
): KeylessChange | undefined {
  if (change.op === 'initial read' || change.op === 'later read') {
    return { change, offset, place: null, before: undefined, after: wholeRow(table, imageOf(change, 'after')) }
  }
  const { position, txId } = change
  if (txId === null) throw new ValueError('the change has no transaction id')
  const place = progress.ledger.take(position.epoch, txId, position.lsn)
  if (place === undefined) return undefined
  const snapshot = progress.readSnapshots.get(generationOf(table))
  if (snapshot !== undefined && wasRead(snapshot, txId)) return undefined
  return {
    change,
    offset,
    place,
    before: change.op === 'create' ? undefined : wholeRow(table, imageOf(change, 'before')),
    after: change.op === 'delete' ? undefined : wholeRow(table, imageOf(change, 'after')),
  }
}

function wholeRow(table: AppliedTable, row: WireRow): RowValue[] {
  const values = decodeRow(table, row)
  if (!values.includes(unavailable)) return values
  throw new ValueError('the change leaves out an unchanged TOASTed value, though the table has no key')
}
