import { type InputText, ValueError } from '../column-codec.ts'
import type { TableContract } from '../contract.ts'
import { readTime } from '../event-time.ts'
import { tablesRead } from '../keyless/keyless-writes.ts'
import { comparePositions, type Position } from '../position.ts'
import { decodeRow, type RowValue } from '../tables/row-write.ts'
import { type AppliedTable, type TableRegister, tableName } from '../tables/table-register.ts'
import {
  EnvelopeError,
  type Incoming,
  type KeyHeaders,
  type RowChange,
  readRecord,
  type WireRow,
} from '../wire/change.ts'
import { WireError } from '../wire/wire-json.ts'
import { type EventTime, readEventTime } from './event-time.ts'
import type { DefinitionClock } from './watermark.ts'

/** A definition whose rows are looked for in the records of a topic partition. */
export type WatchedDefinition = {
  readonly id: string
  readonly relation: number
  readonly generation: number
  /** The number of the column that has the event time. */
  readonly eventColumn: number
  /** An event time that is further ahead of its commit does not move the watermark; undefined: each does. */
  readonly futureAfterMicros: bigint | undefined
  readonly slideMicros: bigint
  readonly clock: DefinitionClock
}

/**
 * A row that records have named. What it is now, the latest state knows; when it came, only the record does. `read`: a
 * snapshot has read it, which may have changed it without a newer position.
 */
export type TouchedRow = {
  /** Input texts of the key; of a keyless table the whole row, in the order of the table's columns. */
  readonly values: readonly RowValue[]
  readonly position: Position
  readonly live: boolean
  readonly read: boolean
  /** The watermark of the definition when the record came. */
  readonly watermark: EventTime | undefined
  /** The watermark when the row came into its present windows, as far as these records show. */
  readonly entered: EventTime | undefined
  /** Whether these records have moved the row between windows, or have deleted it in between. */
  readonly hasMoved: boolean
  /** Which windows it is in: those of one slide are the same. */
  readonly bin: bigint | undefined
  readonly committedAtMs: number
}

/** The rows of one definition, in a table whose contract was the same for all of them. */
export type TouchedRows = {
  readonly definition: WatchedDefinition
  readonly table: AppliedTable
  readonly rows: TouchedRow[]
}

/** Rows of a relation changed without a record of each. */
export type Mark = { readonly relation: number; readonly reason: string }

/** A record of the topic `changes`; an absent value is a tombstone. */
export type WindowRecord = {
  readonly offset: number
  readonly value: string | undefined
  readonly headers?: KeyHeaders | undefined
}

/**
 * Takes the records of one topic partition in order, and collects which rows of which definitions they name, and how far
 * event time has come. Records of other tables are not parsed. A record that capture cannot have sent names no row: the
 * latest state has quarantined it.
 */
export class TouchedRowsOfBatch {
  readonly marks: Mark[] = []
  /** When the source emitted the newest beacon, and the beacon. */
  beacon: Extract<Incoming, { kind: 'beacon' }>['beacon'] | undefined
  committedAtMs: number | undefined
  /** Whether a contract has come: the table of a definition may be another one than before. */
  hasContracts = false
  readonly #register: TableRegister
  readonly #definitions: readonly WatchedDefinition[]
  readonly #touched = new Map<WatchedDefinition, Map<AppliedTable, Map<string, TouchedRow>>>()
  #names: readonly string[]

  /** `register` is changed by the contracts that come. */
  constructor(register: TableRegister, definitions: readonly WatchedDefinition[]) {
    this.#register = register
    this.#definitions = definitions
    this.#names = this.#searchedNames()
  }

  /** The rows that were named, by definition and contract. */
  *touched(): Iterable<TouchedRows> {
    for (const [definition, tables] of this.#touched) {
      for (const [table, rows] of tables) yield { definition, table, rows: [...rows.values()] }
    }
  }

  take({ value, headers }: WindowRecord): void {
    if (value === undefined || !this.#names.some((name) => value.includes(name))) return
    const incoming = read(value, headers)
    switch (incoming?.kind) {
      case 'row':
        this.#takeRow(incoming.change)
        break
      case 'contract':
        this.hasContracts = true
        this.#register.enter(incoming.contract, incoming.position)
        this.#names = this.#searchedNames()
        break
      case 'beacon': {
        this.beacon = incoming.beacon
        const emittedAt = readEventTime(String(readTime(incoming.beacon.emittedAt))) as bigint
        for (const { clock } of this.#definitions) clock.takeBeacon(emittedAt)
        break
      }
      case 'truncate': {
        const found = this.#register.find(tableName(incoming.truncate), incoming.truncate.position)
        if (found.kind === 'applied') this.#mark(found.table.contract, 'the table was truncated')
        break
      }
      case 'read beacon':
        // The rows of a keyless table are deleted before they are read again.
        for (const { contract } of tablesRead(this.#register, incoming.beacon)) {
          this.#mark(contract, 'its rows are read again')
        }
        break
      default:
        break
    }
  }

  #mark({ relation }: TableContract, reason: string): void {
    if (this.#definitions.some((one) => one.relation === relation)) this.marks.push({ relation, reason })
  }

  /** The name of a table occurs in each of its records, in the quotes of JSON. */
  #searchedNames(): string[] {
    const tables = this.#definitions.flatMap(
      ({ relation }) => this.#register.contractOf(relation)?.contract.table ?? [],
    )
    return [...new Set(tables.map((name) => JSON.stringify(name))), '"tidemark"']
  }

  #takeRow(change: RowChange): void {
    const found = this.#register.find(tableName(change), change.position)
    if (found.kind !== 'applied') return
    const { table } = found
    const { relation, generation } = table.contract
    for (const definition of this.#definitions) {
      if (definition.relation !== relation) continue
      try {
        const { watermark } = definition.clock
        const event = this.#giveTo(definition, table, change)
        if (definition.generation === generation) this.#touch(definition, table, change, watermark, event)
      } catch (error) {
        // The latest state has stopped the table, and its rows are read again or accepted.
        if (!(error instanceof ValueError || error instanceof RangeError)) throw error
      }
    }
    if (change.position.phase === 1) this.committedAtMs = change.committedAtMs
  }

  /** Gives the clock of the definition a row that has come, and returns the event time of the row. */
  #giveTo({ eventColumn, futureAfterMicros, clock }: WatchedDefinition, table: AppliedTable, change: RowChange) {
    const committedAt = BigInt(Math.round(change.committedAtMs * 1000))
    const event = change.after === null ? undefined : eventTimeOf(table, eventColumn, change.after)
    const isAhead = event !== undefined && futureAfterMicros !== undefined && event - committedAt > futureAfterMicros
    clock.takeRow(isAhead ? undefined : event, committedAt)
    return event
  }

  #touch(
    definition: WatchedDefinition,
    table: AppliedTable,
    change: RowChange,
    present: EventTime | undefined,
    event: EventTime | undefined,
  ): void {
    const { op, position, committedAtMs } = change
    const isRead = op === 'initial read' || op === 'later read'
    const watermark = isRead ? undefined : present
    const bin = event === undefined ? undefined : floorOf(event, definition.slideMicros)
    const shared = { position, read: isRead, watermark, entered: watermark, hasMoved: false, bin, committedAtMs }
    for (const { values, live } of namedRows(table, change)) {
      this.#add(definition, table, { ...shared, values, live })
    }
  }

  #add(definition: WatchedDefinition, table: AppliedTable, row: TouchedRow): void {
    const tables = entry(this.#touched, definition, () => new Map<AppliedTable, Map<string, TouchedRow>>())
    const rows = entry(tables, table, () => new Map<string, TouchedRow>())
    const key = identityOf(table, row.values)
    const earlier = rows.get(key)
    if (earlier === undefined) rows.set(key, row)
    // Rows of a keyless table have no position: the first record that names the content decides when it came.
    else if (table.keyPlaces.length > 0) rows.set(key, merged(earlier, row))
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

/**
 * The newest version of the row decides when it came, and a record that is sent again does not change that. At one
 * position a create comes after a delete: this is a key change between keys that Postgres considers equal.
 */
function merged(earlier: TouchedRow, later: TouchedRow): TouchedRow {
  const order = comparePositions(later.position, earlier.position)
  const wins = order > 0 || (order === 0 && later.live && !earlier.live)
  const read = earlier.read || later.read
  if (!wins) return { ...earlier, read }
  const stays = earlier.live && earlier.bin === later.bin
  return {
    ...later,
    read,
    entered: stays ? earlier.entered : later.entered,
    hasMoved: !stays || earlier.hasMoved,
  }
}

/** The beginning of the slide that an event time is in. */
const floorOf = (event: EventTime, slide: bigint): bigint => event - (((event % slide) + slide) % slide)

function read(value: string, headers: KeyHeaders | undefined): Incoming | undefined {
  try {
    return readRecord(value, headers)
  } catch (error) {
    if (error instanceof EnvelopeError || error instanceof WireError) return undefined
    throw error
  }
}

/** The event time of a row; undefined when it has none that a window can have, or no such column any more. */
function eventTimeOf(table: AppliedTable, number: number, row: WireRow): EventTime | undefined {
  const column = table.columns.find((one) => one.number === number)
  const wire = column && row[column.name]
  if (wire === undefined || wire === null) return undefined
  // This is how most event times are sent, and reading them as text takes longer than everything else here.
  if (typeof wire === 'number' && column!.carried.startsWith('timestamp')) return BigInt(wire)
  const text = column!.codec.decode(wire)
  const time = typeof text === 'string' ? readEventTime(text) : undefined
  return typeof time === 'bigint' ? time : undefined
}

/** The rows that a change names: with a key the row before and the row after, without one the contents before and after. */
function namedRows(
  table: AppliedTable,
  { op, before, after }: RowChange,
): { readonly values: readonly RowValue[]; readonly live: boolean }[] {
  const valuesOf = table.keyPlaces.length === 0 ? decodeRow : keyValues
  const former =
    before !== null && (op === 'delete' || (op === 'update' && hasKey(table, before)))
      ? { values: valuesOf(table, before), live: false }
      : undefined
  const present = after === null || op === 'delete' ? undefined : { values: valuesOf(table, after), live: true }
  if (former === undefined || present === undefined) return [former, present].filter((one) => one !== undefined)
  const isSame = identityOf(table, former.values) === identityOf(table, present.values)
  return isSame ? [present] : [former, present]
}

/** If the replica identity is not the key, the image before may lack the key columns. */
const hasKey = ({ keyPlaces, columns }: AppliedTable, row: WireRow): boolean =>
  keyPlaces.every((place) => (row[columns[place]!.name] ?? null) !== null)

function keyValues({ keyPlaces, columns }: AppliedTable, row: WireRow): InputText[] {
  return keyPlaces.map((place) => {
    const { name, codec } = columns[place]!
    const wire = row[name]
    const text = wire === undefined || wire === null ? undefined : codec.decode(wire)
    if (typeof text !== 'string') throw new ValueError(`the key lacks column ${name}`)
    return text
  })
}

/** The identity of a row inside a batch: keys that Postgres considers equal give one text. */
function identityOf({ keyPlaces, columns }: AppliedTable, values: readonly RowValue[]): string {
  if (keyPlaces.length === 0) return JSON.stringify(values)
  if (keyPlaces.length === 1) return columns[keyPlaces[0]!]!.codec.canonical(values[0] as string)
  return JSON.stringify(values.map((text, i) => columns[keyPlaces[i]!]!.codec.canonical(text as string)))
}
