import { unavailable, ValueError } from './column-codec.ts'
import type { Beacon, RowChange, WireRow } from './envelope.ts'
import { parseReadSnapshot, type ReadSnapshot, wasRead } from './read-snapshot.ts'
import { decodeRow, imageOf, type RowValue } from './row-write.ts'
import type { AppliedTable, TableRegister } from './table-register.ts'
import type { UnkeyedLedger, UnkeyedPlace } from './unkeyed-ledger.ts'

/** A change of a table without a key: one row less, one row more, or both. */
export type KeylessChange = {
  readonly change: RowChange
  /** Null for a row that a snapshot read. */
  readonly place: UnkeyedPlace | null
  readonly before: readonly RowValue[] | undefined
  readonly after: readonly RowValue[] | undefined
}

/** What a batch does to a table without a key. */
export type KeylessWrites = {
  readonly table: AppliedTable
  /** Its rows go first: it was truncated, or is read anew. */
  cleared: boolean
  /** The snapshot it is read in. */
  readSnapshot: string | undefined
  changes: KeylessChange[]
}

/** What a topic partition knows about tables without a key; only one topic partition has their records. */
export type KeylessProgress = {
  readonly ledger: UnkeyedLedger
  /** By generation: the snapshot that the rows were read in. */
  readonly readSnapshots: Map<string, ReadSnapshot>
}

/** Identifies a generation of a relation. */
export const generationOf = ({ contract }: AppliedTable): string => `${contract.relation} ${contract.generation}`

/** The tables that the reading which begins with this beacon reads: all of them initially, later those read anew. */
export function tablesRead(register: TableRegister, { ledger }: KeylessProgress, beacon: Beacon): AppliedTable[] {
  const initial = !ledger.streams(beacon.epoch)
  return [...register.keyless()].filter(({ contract }) => initial || !contract.complete)
}

/** Notes that the table is read anew: whatever it held goes. */
export function readAnew(progress: KeylessProgress, table: AppliedTable, readSnapshot: string): KeylessWrites {
  progress.readSnapshots.set(generationOf(table), parseReadSnapshot(readSnapshot))
  return { table, cleared: true, readSnapshot, changes: [] }
}

/**
 * The change as it counts, or undefined where it was applied before or is part of what was read. Throws a ValueError
 * where it does not fit the contract.
 */
export function keylessChange(
  progress: KeylessProgress,
  table: AppliedTable,
  change: RowChange,
): KeylessChange | undefined {
  if (change.op === 'incremental read') throw new ValueError('a table without a key was read incrementally')
  if (change.op === 'initial read') {
    return { change, place: null, before: undefined, after: wholeRow(table, imageOf(change, 'after')) }
  }
  const { position, txId } = change
  if (txId === null) throw new ValueError('the change has no transaction id')
  const place = progress.ledger.take(position.epoch, txId, position.lsn)
  if (place === undefined) return undefined
  const snapshot = progress.readSnapshots.get(generationOf(table))
  if (snapshot !== undefined && wasRead(snapshot, txId)) return undefined
  return {
    change,
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
