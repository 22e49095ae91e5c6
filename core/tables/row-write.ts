import { type Decoded, type InputText, unavailable, ValueError } from '../column-codec.ts'
import type { RowChange, WireRow } from '../envelope.ts'
import type { Lsn } from '../lsn.ts'
import { comparePositions, type Position } from '../position.ts'
import type { AppliedTable } from './table-register.ts'

/** A column's value, or `unavailable` where the change left a TOASTed value as it was and does not say it. */
export type RowValue = Decoded | null

/**
 * What one row becomes. `ordered` writes take effect where their position is newer than the stored row's, an
 * `override` (later read) always does and keeps the newer of the two positions.
 */
export type RowWrite = {
  readonly mode: 'ordered' | 'override'
  readonly position: Position
  /** False leaves a delete marker; only the key places of `values` are filled then. */
  readonly live: boolean
  /** Input texts in the order of the table's columns. */
  readonly values: readonly RowValue[]
  /** Places whose value is that of the row as stored. */
  readonly lacking: readonly number[]
  /** Where the row is stored that lacking values are taken from, when a change gave it another key. */
  readonly movedFrom: { readonly key: readonly InputText[]; readonly lsn: Lsn } | undefined
}

const nothing: readonly number[] = []

/** A change as a write, with the row it is about. Throws a ValueError where it does not fit the contract. */
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
 * Whether a write replaces an earlier one of the same row and mode: a newer position does, at the same position a
 * create beats a delete (a key change between keys that Postgres holds equal), and an override always does.
 */
export function replaces(earlier: RowWrite, later: RowWrite): boolean {
  if (later.mode === 'override') return true
  const order = comparePositions(later.position, earlier.position)
  return order > 0 || (order === 0 && later.live && !earlier.live)
}

/** The later write, completed with what the earlier one of the same row says about the values it left as they were. */
export function mergedWith(earlier: RowWrite, later: RowWrite): RowWrite {
  if (later.lacking.length === 0 || !earlier.live || later.movedFrom !== undefined) return later
  const values = later.values.map((value, place) => (value === unavailable ? earlier.values[place]! : value))
  return { ...later, values, lacking: lackingPlaces(values), movedFrom: earlier.movedFrom }
}

/** The image a change must have; throws a ValueError where it has none. */
export function imageOf(change: RowChange, which: 'before' | 'after'): WireRow {
  const row = change[which]
  if (row === null) throw new ValueError(`the ${change.op} has no ${which} image`)
  return row
}

/** Decodes a whole row; throws a ValueError where its columns are not those of the contract. */
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
  if (sent !== columns.length) throw new ValueError(`the change has ${sent} columns, its contract ${columns.length}`)
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

/** The row, inside one batch, that a key of the wire names. */
export const keyOf = (table: AppliedTable, row: WireRow): string =>
  rowKey(keyTexts(table, row).map((text, i) => canonicalKey(table, table.keyPlaces[i]!, text)))

/**
 * The identity of a row inside one batch, from its canonical key texts. Two keys that Postgres holds equal give one
 * string; two it holds different give two, whatever the texts contain.
 */
const rowKey = (canonicalTexts: readonly string[]): string =>
  canonicalTexts.length === 1 ? canonicalTexts[0]! : JSON.stringify(canonicalTexts)
