import type { RowChange, WireRow } from '../envelope.ts'
import { comparePositions, type Position } from '../position.ts'
import { keyOf, mergedWith, type RowValue, type RowWrite, replaces, writeOf } from '../tables/row-write.ts'
import type { AppliedTable } from '../tables/table-register.ts'

/** A change as history keeps it. */
export type LoggedChange = {
  readonly change: RowChange
  /** After the change; of a delete only the key is filled. Values left as they were are filled where the batch knows them. */
  readonly values: readonly RowValue[]
  readonly lacking: readonly number[]
  /** Place in the log of the row's last change before it; undefined: the row as stored precedes it. */
  readonly prior: number | undefined
  /** Grows with each change of a row: twice the offset of the record, and one more for the second half of a key change. */
  readonly ordinal: number
  /** No delivery brought it before; otherwise that has to be looked up. */
  readonly certain: boolean
  /** Writes the row, with values of the one under its former key, before history is written. */
  readonly move: RowWrite | undefined
}

/** What is known of a change besides itself. */
export type Arrival = Pick<LoggedChange, 'certain'> & {
  readonly offset: number
  /** History keeps it. */
  readonly logged: boolean
}

/** The writes of one table in one segment, one per row, and, for history, every change in order. */
export type TableWrites = {
  readonly table: AppliedTable
  readonly rows: Map<string, RowWrite>
  readonly log: LoggedChange[]
  /** By row, the place of its last change in the log. */
  readonly lastLogged: Map<string, number>
  /** Rows whose write may be one that was applied before. */
  readonly uncertain: Set<string>
  /** Another topic partition's truncate has taken rows that are in the log, but not written any more. */
  readonly lacksTruncated?: boolean
}

/** Sets of writes to run one after the other; inside one, each row occurs once. */
export type Segment = Map<string, TableWrites>

/**
 * The writes of a table without those from before it was truncated, which another topic partition has done already. A table
 * that is truncated while it is read is read anew: what is read of it here was read before the truncate.
 */
export function withoutTruncated(writes: TableWrites, at: Position): TableWrites {
  const { complete } = writes.table.contract
  const isBefore = ({ mode, position }: RowWrite) =>
    mode === 'ordered' ? comparePositions(position, at) < 0 : !complete
  const before: string[] = []
  for (const [key, write] of writes.rows) if (isBefore(write)) before.push(key)
  // Once a table was truncated its truncate is always known, and mostly long past.
  if (before.length === 0) return writes
  const rows = new Map(writes.rows)
  for (const key of before) rows.delete(key)
  return { ...writes, rows, lacksTruncated: true }
}

/** Reduces changes of tables with a key to segments. */
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
   * Takes back what was added of a generation from before the position: it was truncated. What history keeps of the table is
   * given back, to be written before the truncate: it may have to find values in rows that the truncate takes. That is of its
   * former generations, too: a change of theirs may have come again since, as one of this generation.
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
   * Whether the change needs the effect of those before it: which of an ordered write and an override wins depends on
   * the stored row, and the second half of a key change takes values from the row that the first half left. One that may
   * have been applied before says nothing about values that a later one left as they were; and history has to find the row
   * that moved in turn.
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
    // Writes of two versions of a contract have different columns: the later version's begin anew.
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
 * An update that gives the row another key comes as a delete and a create, unless capture did not know the table's key
 * then: taken for an update of the new row it would leave the old one behind.
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

/** By another replica identity than the key, the image before has other columns alone. */
const hasKey = ({ keyPlaces, columns }: AppliedTable, row: WireRow): boolean =>
  keyPlaces.every((place) => (row[columns[place]!.name] ?? null) !== null)

const segmentKey = ({ relation, generation }: AppliedTable['contract']): string => `${relation} ${generation}`
