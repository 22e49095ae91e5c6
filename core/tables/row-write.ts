// How does one change become the write of one row, by the contract in force?

import { type Decoded, type InputText, unavailable, ValueError } from '../column-codec.ts'
import type { Lsn } from '../lsn.ts'
import { comparePositions, type Position } from '../position.ts'
import type { RowChange, WireRow } from '../wire/change.ts'
import type { AppliedTable } from './table-register.ts'

/** A column's value, or `unavailable` when an update did not touch a TOASTed value and so does not send it. */
export type RowValue = Decoded | null

/**
 * What one row becomes. An `ordered` write takes effect when its position is newer than the stored row's. An `override`
 * (a later read) always takes effect, and keeps the newer of the two positions.
 */
export type RowWrite = {
  readonly mode: 'ordered' | 'override'
  readonly position: Position
  /** False writes a delete marker; then only the key places of `values` are filled. */
  readonly live: boolean
  /** Input texts in the order of the table's columns. */
  readonly values: readonly RowValue[]
  /** Places whose value is taken from the stored row. */
  readonly lacking: readonly number[]
  /** When a change gave the row another key: the key under which the row with the lacking values is stored. */
  readonly movedFrom: { readonly key: readonly InputText[]; readonly lsn: Lsn } | undefined
}

const nothing: readonly number[] = []

/** A change as a write, with the key of its row. Throws a ValueError when the change does not fit the contract. */
export function writeOf(table: AppliedTable, change: RowChange): { key: string; write: RowWrite } {
  const live = change.op !== 'delete'
  const values = live ? decodeRow(table, imageOf(change, 'after')) : decodeKey(table, imageOf(change, 'before'))
  const key = rowKey(table.keyPlaces.map((place) => canonicalKey(table, place, values[place]!)))
  const lacking = live ? lackingPlaces(values) : nothing
  const moved = live && change.otherKey !== undefined && lacking.length > 0
  return {
    key,
    write: {
      mode: change.op === 'later read' ? 'override' : 'ordered',
      position: change.position,
      live,
      values,
      lacking,
      movedFrom: moved ? { key: keyTexts(table, change.otherKey!), lsn: change.position.lsn } : undefined,
    },
  }
}

/**
 * Whether a write replaces an earlier one of the same row and mode. An override always does, and so does a newer
 * position. At the same position a create replaces a delete: this is a key change between keys that Postgres considers
 * equal.
 */
export function replaces(earlier: RowWrite, later: RowWrite): boolean {
  if (later.mode === 'override') return true
  const order = comparePositions(later.position, earlier.position)
  return order > 0 || (order === 0 && later.live && !earlier.live)
}

/** The later write, with the values that it left as they were taken from the earlier write of the same row. */
export function mergedWith(earlier: RowWrite, later: RowWrite): RowWrite {
  if (later.lacking.length === 0 || !earlier.live || later.movedFrom !== undefined) return later
  const values = later.values.map((value, place) => (value === unavailable ? earlier.values[place]! : value))
  return { ...later, values, lacking: lackingPlaces(values), movedFrom: earlier.movedFrom }
}

/** An image that the change must have; throws a ValueError when it is missing. */
export function imageOf(change: RowChange, which: 'before' | 'after'): WireRow {
  const row = change[which]
  if (row === null) throw new ValueError(`the ${change.op} has no ${which} image`)
  return row
}

/** Decodes a whole row. Throws a ValueError when its columns are not those of the contract. */
export function decodeRow(table: AppliedTable, row: WireRow): RowValue[] {
  const { columns, generated } = table
  const values = new Array<RowValue>(columns.length)
  for (let place = 0; place < columns.length; place++) {
    const column = columns[place]!
    const wire = row[column.name]
    if (wire === undefined) throw new ValueError(`the change lacks column ${column.name}`)
    values[place] = wire === null ? null : column.codec.decode(wire)
  }
  let sent = 0
  for (const name in row) if (!generated.has(name)) sent++
  if (sent !== columns.length)
    throw new ValueError(`the change has ${sent} columns, and its contract has ${columns.length}`)
  return values
}

function decodeKey(table: AppliedTable, row: WireRow): RowValue[] {
  const values = new Array<RowValue>(table.columns.length).fill(null)
  for (const place of table.keyPlaces) {
    const column = table.columns[place]!
    const wire = row[column.name]
    if (wire === undefined || wire === null) throw new ValueError(`the key lacks column ${column.name}`)
    values[place] = column.codec.decode(wire)
  }
  return values
}

function keyTexts(table: AppliedTable, row: WireRow): InputText[] {
  const values = decodeKey(table, row)
  return table.keyPlaces.map((place) => values[place] as InputText)
}

function lackingPlaces(values: readonly RowValue[]): readonly number[] {
  if (!values.includes(unavailable)) return nothing
  return values.flatMap((value, place) => (value === unavailable ? [place] : []))
}

function canonicalKey(table: AppliedTable, place: number, value: RowValue): string {
  const { name, codec } = table.columns[place]!
  if (value === null || value === unavailable) throw new ValueError(`key column ${name} has no value`)
  return codec.canonical(value)
}

/** The identity, inside one batch, of the row that a key on the wire names. */
export const keyOf = (table: AppliedTable, row: WireRow): string =>
  rowKey(keyTexts(table, row).map((text, i) => canonicalKey(table, table.keyPlaces[i]!, text)))

/**
 * The identity of a row inside one batch, from its canonical key texts. Keys that Postgres considers equal give one
 * string, and other keys give different strings, whatever the texts contain.
 */
const rowKey = (canonicalTexts: readonly string[]): string =>
  canonicalTexts.length === 1 ? canonicalTexts[0]! : JSON.stringify(canonicalTexts)
