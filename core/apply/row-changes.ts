// How do many changes of one row become one write? The changes of a batch are reduced to one write per row and segment.

import { comparePositions, type Position } from '../position.ts'
import { keyOf, mergedWith, type RowValue, type RowWrite, replaces, writeOf } from '../tables/row-write.ts'
import type { AppliedTable } from '../tables/table-register.ts'
import type { RowChange, WireRow } from '../wire/change.ts'

/** A change as history keeps it. */
export type LoggedChange = {
  readonly change: RowChange
  /**
   * The row after the change; for a delete, only its key. Values that the change left as they were are filled where the
   * batch knows them.
   */
  readonly values: readonly RowValue[]
  readonly lacking: readonly number[]
  /**
   * Index in `log` of the row's last change before this one. Undefined: the stored row is the one before this change.
   */
  readonly prior: number | undefined
  /** Grows with each change of a row: twice the offset of the record, plus one for the second half of a key change. */
  readonly ordinal: number
  /** Whether no delivery can have brought the change before. If false, history has to look it up. */
  readonly certain: boolean
  /**
   * A write of the row that takes values from the row under its former key. It is executed before history is written.
   */
  readonly move: RowWrite | undefined
}

/** What is known of a change in addition to its content. */
export type Arrival = Pick<LoggedChange, 'certain'> & {
  readonly offset: number
  /** Whether history keeps the change. */
  readonly logged: boolean
}

/** The writes of one table in one segment, one per row, and, for history, every change in order. */
export type TableWrites = {
  readonly table: AppliedTable
  readonly rows: Map<string, RowWrite>
  readonly log: LoggedChange[]
  /** By row, the index of its last change in `log`. */
  readonly lastLogged: Map<string, number>
  /** Rows whose write may have been applied before. */
  readonly uncertain: Set<string>
  /** Whether another topic partition's truncate has removed rows from `rows` whose changes are still in `log`. */
  readonly lacksTruncated?: boolean
}

/** Writes by table. Segments are executed one after the other; inside a segment each row occurs once. */
export type Segment = Map<string, TableWrites>

/**
 * Another topic partition has already applied a truncate: returns the writes that come after it, and leaves out those
 * from before it. A table that is truncated during its snapshot is snapshotted again, so rows that were read here before
 * the truncate are left out as well. `ofEarlier`: the truncate was of an earlier generation, so only streamed changes,
 * which capture sends again, can be from before it.
 */
export function withoutTruncated(writes: TableWrites, at: Position, ofEarlier = false): TableWrites {
  const { complete } = writes.table.contract
  const isBefore = ({ mode, position }: RowWrite) => {
    if (ofEarlier) return position.phase === 1 && comparePositions(position, at) < 0
    return mode === 'ordered' ? comparePositions(position, at) < 0 : !complete
  }
  const before: string[] = []
  for (const [key, write] of writes.rows) if (isBefore(write)) before.push(key)
  // Once a table was truncated, its truncate is always known, but mostly it is older than all these writes.
  if (before.length === 0) return writes
  const rows = new Map(writes.rows)
  for (const key of before) rows.delete(key)
  return { ...writes, rows, lacksTruncated: true }
}

/**
 * Reduces many changes of a row to one write per row, for tables with a key. A segment has each row once. A change that
 * needs the stored effect of an earlier one begins another segment.
 */
export class RowChanges {
  readonly segments: Segment[] = [new Map()]

  /** Adds a change in the order of the topic partition. Throws a ValueError where it does not fit its contract. */
  add(table: AppliedTable, change: RowChange, arrival: Arrival): void {
    halvesOf(table, change).forEach((half, i) => {
      this.#take(table, half, arrival, arrival.offset * 2 + i)
    })
  }

  #take(table: AppliedTable, change: RowChange, { certain, logged }: Arrival, ordinal: number): void {
    const { key, write } = writeOf(table, change)
    if (this.#needsNewSegment(table, key, write, change, logged)) this.segments.push(new Map())
    const writes = this.#writesOf(table)
    const earlier = writes.rows.get(key)
    if (earlier !== undefined && !replaces(earlier, write)) return
    const merged = earlier === undefined ? write : mergedWith(earlier, write)
    writes.rows.set(key, merged)
    if (certain) writes.uncertain.delete(key)
    else writes.uncertain.add(key)
    if (!logged) return
    const { values, lacking } = merged
    const move = merged.movedFrom === undefined ? undefined : merged
    const prior = writes.lastLogged.get(key)
    writes.log.push({ change, values, lacking, prior, certain, ordinal, move })
    writes.lastLogged.set(key, writes.log.length - 1)
  }

  /**
   * Removes the writes of a generation from before the position, because the table was truncated there. Returns the
   * writes of the table that history keeps; they have to be executed before the truncate, because history may need
   * values of rows that the truncate removes. They include writes of former generations, since a change of one may have
   * come again as a change of this generation.
   */
  truncate({ contract }: AppliedTable, at: Position): Segment[] {
    const preceding: Segment[] = []
    for (const segment of this.segments) {
      const kept = [...segment].filter(
        ([, { table, log }]) => table.contract.relation === contract.relation && log.length > 0,
      )
      if (kept.length > 0) preceding.push(new Map(kept))
      for (const [key] of kept) segment.delete(key)
      const writes = segment.get(segmentKey(contract))
      for (const [key, { position }] of writes?.rows ?? []) {
        if (comparePositions(position, at) < 0) writes!.rows.delete(key)
      }
    }
    return preceding
  }

  /**
   * Whether the changes before this one have to be stored before it can be written. Then it begins a new segment, since
   * segments are executed one after the other. There are four such cases. (1) Whether an ordered write or an override
   * wins depends on the stored row. (2) An earlier write that may have been applied before cannot supply values that
   * this one left as they were. (3) History has to find a row that has moved before the row changes again. (4) The
   * second half of a key change takes values from the row that the first half left.
   */
  #needsNewSegment(table: AppliedTable, key: string, write: RowWrite, change: RowChange, logged: boolean): boolean {
    const writes = this.segments.at(-1)!.get(segmentKey(table.contract))
    const earlier = writes?.rows.get(key)
    if (earlier !== undefined && earlier.mode !== write.mode) return true
    if (earlier !== undefined && write.lacking.length > 0 && writes!.uncertain.has(key)) return true
    if (logged && earlier?.movedFrom !== undefined) return true
    if (change.otherKey === undefined) return false
    if (change.op === 'delete') return earlier?.live === true
    return write.movedFrom !== undefined && writes?.rows.has(keyOf(table, change.otherKey)) === true
  }

  #writesOf(table: AppliedTable): TableWrites {
    const segment = this.segments.at(-1)!
    const key = segmentKey(table.contract)
    const known = segment.get(key)
    // Writes by two versions of a contract have different columns, so those of the later version begin a new segment.
    if (known !== undefined && known.table === table) return known
    if (known !== undefined) {
      this.segments.push(new Map())
      return this.#writesOf(table)
    }
    const writes = { table, rows: new Map(), log: [], lastLogged: new Map(), uncertain: new Set<string>() }
    segment.set(key, writes)
    return writes
  }
}

/**
 * Splits an update that changes the key into a delete and a create. Capture sends these two itself, unless it did not
 * know the key of the table then. As one update, the change would leave the row under its old key in the target.
 */
function halvesOf(table: AppliedTable, change: RowChange): RowChange[] {
  const { op, before, after } = change
  if (op !== 'update' || before === null || after === null || !hasKey(table, before)) return [change]
  if (keyOf(table, before) === keyOf(table, after)) return [change]
  return [
    { ...change, op: 'delete', after: null, otherKey: after },
    { ...change, op: 'create', before: null, otherKey: before },
  ]
}

/** If the replica identity is not the key, the image before may lack the key columns. */
const hasKey = ({ keyPlaces, columns }: AppliedTable, row: WireRow): boolean =>
  keyPlaces.every((place) => (row[columns[place]!.name] ?? null) !== null)

const segmentKey = ({ relation, generation }: AppliedTable['contract']): string => `${relation} ${generation}`
