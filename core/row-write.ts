import type { InputText } from './column-codec.ts'
import { ValueError } from './column-codec.ts'
import type { RowChange, WireRow } from './envelope.ts'
import { comparePositions, type Position } from './position.ts'
import { rowKey } from './row-key.ts'
import type { AppliedTable } from './table-register.ts'

/**
 * What one row becomes. `ordered` writes take effect where their position is newer than the stored row's, an
 * `override` (incremental read) always does and keeps the newer of the two positions.
 */
export type RowWrite = {
  readonly mode: 'ordered' | 'override'
  readonly position: Position
  /** False leaves a delete marker; only the key places of `values` are filled then. */
  readonly live: boolean
  /** Input texts in the order of the table's columns. */
  readonly values: readonly InputText[]
}

/** A change as a write, with the row it is about. Throws a ValueError where it does not fit the contract. */
export function writeOf(table: AppliedTable, change: RowChange): { key: string; write: RowWrite } {
  const live = change.op !== 'delete'
  const row = live ? change.after : change.before
  if (row === null) throw new ValueError(`a ${change.op} without ${live ? 'after' : 'before'} image`)
  const values = live ? decodeRow(table, row) : decodeKey(table, row)
  const key = rowKey(table.keyPlaces.map((place) => canonicalKey(table, place, values[place]!)))
  return {
    key,
    write: { mode: change.op === 'incremental read' ? 'override' : 'ordered', position: change.position, live, values },
  }
}

/**
 * Whether a write replaces an earlier one of the same row and mode: a newer position does, at the same position a
 * create beats a delete (a key change between keys that Postgres holds equal), and an override always does.
 */
export function replaces(earlier: RowWrite, later: RowWrite): boolean {
  if (later.mode === 'override') return true
  const order = comparePositions(later.position, earlier.position)
  return order > 0 || (order === 0 && later.live && !earlier.live)
}

function decodeRow(table: AppliedTable, row: WireRow): InputText[] {
  const { columns } = table
  const values = new Array<InputText>(columns.length)
  for (let place = 0; place < columns.length; place++) {
    const column = columns[place]!
    const wire = row[column.name]
    if (wire === undefined) throw new ValueError(`the change lacks column ${column.name}`)
    values[place] = wire === null ? null : column.codec.decode(wire)
  }
  let sent = 0
  for (const _ in row) sent++
  if (sent !== columns.length) throw new ValueError(`the change has ${sent} columns, its contract ${columns.length}`)
  return values
}

function decodeKey(table: AppliedTable, row: WireRow): InputText[] {
  const values = new Array<InputText>(table.columns.length).fill(null)
  for (const place of table.keyPlaces) {
    const column = table.columns[place]!
    const wire = row[column.name]
    if (wire === undefined || wire === null) throw new ValueError(`the key lacks column ${column.name}`)
    values[place] = column.codec.decode(wire)
  }
  return values
}

function canonicalKey(table: AppliedTable, place: number, text: InputText): string {
  if (text === null) throw new ValueError(`key column ${table.columns[place]!.name} is null`)
  return table.columns[place]!.codec.canonical(text)
}
