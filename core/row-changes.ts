import type { RowChange, WireRow } from './envelope.ts'
import { comparePositions, type Position } from './position.ts'
import { keyOf, mergedWith, type RowValue, type RowWrite, replaces, writeOf } from './row-write.ts'
import type { AppliedTable } from './table-register.ts'

/** A change as history keeps it. */
export type LoggedChange = {
  readonly change: RowChange
  /** After the change; of a delete only the key is filled. Values left as they were are filled where the batch knows them. */
  readonly values: readonly RowValue[]
  readonly lacking: readonly number[]
  /** Place in the log of the row's last change before it; undefined: the row as stored precedes it. */
  readonly prior: number | undefined
}

/** The writes of one table in one segment, one per row, and, for history, every change in order. */
export type TableWrites = {
  readonly table: AppliedTable
  readonly rows: Map<string, RowWrite>
  readonly log: LoggedChange[]
  /** By row, the place of its last change in the log. */
  readonly lastLogged: Map<string, number>
}

/** Sets of writes to run one after the other; inside one, each row occurs once. */
export type Segment = Map<string, TableWrites>

/** Reduces changes of tables with a key to segments. */
export class RowChanges {
  readonly segments: Segment[] = [new Map()]

  /** Adds a change in the order of the topic partition. Throws a ValueError where it does not fit its contract. */
  add(table: AppliedTable, change: RowChange, logged: boolean): void {
    for (const half of halvesOf(table, change)) this.#take(table, half, logged)
  }

  #take(table: AppliedTable, change: RowChange, logged: boolean): void {
    const { key, write } = writeOf(table, change)
    if (this.#needsNewSegment(table, key, write, change)) this.segments.push(new Map())
    const writes = this.#writesOf(table)
    const earlier = writes.rows.get(key)
    if (earlier !== undefined && !replaces(earlier, write)) return
    const merged = earlier === undefined ? write : mergedWith(earlier, write)
    writes.rows.set(key, merged)
    if (!logged) return
    writes.log.push({ change, values: merged.values, lacking: merged.lacking, prior: writes.lastLogged.get(key) })
    writes.lastLogged.set(key, writes.log.length - 1)
  }

  /** Takes back what was added of a generation from before the position: it was truncated. */
  truncate({ contract }: AppliedTable, at: Position): void {
    for (const segment of this.segments) {
      const writes = segment.get(segmentKey(contract))
      for (const [key, { position }] of writes?.rows ?? []) {
        if (comparePositions(position, at) < 0) writes!.rows.delete(key)
      }
    }
  }

  /**
   * Whether the change needs the effect of those before it: which of an ordered write and an override wins depends on
   * the stored row, and the second half of a key change takes values from the row that the first half left.
   */
  #needsNewSegment(table: AppliedTable, key: string, write: RowWrite, change: RowChange): boolean {
    const rows = this.segments.at(-1)!.get(segmentKey(table.contract))?.rows
    const earlier = rows?.get(key)
    if (earlier !== undefined && earlier.mode !== write.mode) return true
    if (change.otherKey === undefined) return false
    if (change.op === 'delete') return earlier?.live === true
    return write.movedFrom !== undefined && rows?.has(keyOf(table, change.otherKey)) === true
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
    const writes = { table, rows: new Map(), log: [], lastLogged: new Map() }
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
