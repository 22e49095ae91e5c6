import { readMilliseconds, readTime } from './event-time.ts'
import {
  describe,
  isJsonObject,
  type JsonObject,
  Malformed,
  nullable,
  readBigint,
  readFields,
  readInteger,
  readRest,
  readText,
} from './event-values.ts'
import { parseAsWritten } from './exact-json.ts'

/** The content of an event of the topic of user events: 64-bit numbers as digits, ts as ISO 8601 in UTC or null. */
export type UserEvent = {
  readonly id: string
  readonly name: string | null
  readonly age: number | null
  /** Everything else that the event says of the user, as JSON text, or null. */
  readonly more: string | null
  readonly op: 'insert' | 'update' | 'delete'
  readonly eventOrder: string
  readonly run: string
  readonly ts: string | null
}

/** Why a record is not an event. */
export type MalformedEvent = { readonly malformed: string }

const rowFields = { id: readBigint, name: nullable(readText), age: nullable(readInteger) }

const deltaOps: ReadonlyMap<unknown, UserEvent['op']> = new Map([
  ['insert', 'insert'],
  ['update', 'update'],
  ['delete', 'delete'],
])
const rowChangeOps: ReadonlyMap<unknown, UserEvent['op']> = new Map([
  ['c', 'insert'],
  ['u', 'update'],
  ['d', 'delete'],
])

/**
 * Reads an event in either format, which its `op` distinguishes: a plain delta (insert, update, delete) or a row change
 * (c, u, d with the row before and after). For any value, the result is an event that Postgres stores as it is, or the
 * reason why there is none.
 */
export function readUserEvent(value: string | undefined): UserEvent | MalformedEvent {
  if (value === undefined) return { malformed: 'the record has no value' }
  let json: unknown
  try {
    json = parseAsWritten(value)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { malformed: `the value is not JSON: ${error.message}` }
  }
  if (json === undefined) return { malformed: 'the value is nested more than 100 levels deep' }
  if (!isJsonObject(json)) return { malformed: `the value is not a JSON object: ${describe(json)}` }
  const delta = deltaOps.get(json.op)
  if (delta !== undefined) return readDelta(delta, json)
  const change = rowChangeOps.get(json.op)
  if (change !== undefined) return readRowChange(change, json)
  return {
    malformed: `op is ${describe(json.op)}: it must be insert, update or delete, or c, u or d with before and after`,
  }
}

const deltaFields = {
  ...rowFields,
  event_order: readBigint,
  ts: nullable(readTime),
  /** Grows with every run of a producer; a producer that sends none has run 0. */
  run: nullable(readBigint),
}
const deltaNames = new Set(['op', ...Object.keys(deltaFields)])

function readDelta(op: UserEvent['op'], delta: JsonObject): UserEvent | MalformedEvent {
  const fields = readFields(delta, deltaFields)
  if (fields instanceof Malformed) return fields
  const more = readRest(delta, deltaNames)
  if (more instanceof Malformed) return more
  const { id, name, age, event_order: eventOrder, ts, run } = fields
  return { id, name, age, more, op, eventOrder, run: run ?? '0', ts }
}

const rowNames = new Set(Object.keys(rowFields))

/** Row changes have no event_order, so ts_ms is their order. */
function readRowChange(op: UserEvent['op'], change: JsonObject): UserEvent | MalformedEvent {
  const row = rowOf(op, change)
  if (row instanceof Malformed) return row
  const side = op === 'delete' ? 'before' : 'after'
  const fields = readFields(row, rowFields)
  if (fields instanceof Malformed) return { malformed: `${side}.${fields.malformed}` }
  const more = readRest(row, rowNames)
  if (more instanceof Malformed) return { malformed: `${side}: ${more.malformed}` }
  const time = readFields(change, { ts_ms: readMilliseconds })
  if (time instanceof Malformed) return time
  const { milliseconds, instant } = time.ts_ms
  return { ...fields, more, op, eventOrder: milliseconds, run: '0', ts: instant }
}

/** The row that a change left, or that a delete removed. */
function rowOf(op: UserEvent['op'], { before, after }: JsonObject): JsonObject | Malformed {
  const row = op === 'delete' ? before : after
  if (!isJsonObject(row)) {
    const side = op === 'delete' ? 'before' : 'after'
    return new Malformed(`${side} must be the row, and is ${describe(row)}`)
  }
  if (op === 'delete' && after !== undefined && after !== null) {
    return new Malformed(`after must be null where op is d, and is ${describe(after)}`)
  }
  if (op === 'update' && isJsonObject(before) && before.id !== undefined) {
    const [was, is] = [readBigint(before.id), readBigint(row.id)]
    if (was instanceof Malformed) return new Malformed(`before.id ${was.malformed}`)
    if (!(is instanceof Malformed) && was !== is) {
      return new Malformed(`the id changes from ${was} to ${is}: that is a delete of the one and a create of the other`)
    }
  }
  return row
}

/** An event and its offset. The order of two events of one id is (run, event_order, topic partition, offset). */
export type PlacedUserEvent = { readonly offset: number; readonly event: UserEvent }

/** Whether b is later than a, when both are from one topic partition. */
function isLaterUserEvent(a: PlacedUserEvent, b: PlacedUserEvent): boolean {
  const byRun = BigInt(b.event.run) - BigInt(a.event.run)
  if (byRun !== 0n) return byRun > 0n
  const byOrder = BigInt(b.event.eventOrder) - BigInt(a.event.eventOrder)
  return byOrder === 0n ? b.offset > a.offset : byOrder > 0n
}

/** The newest event of each id. */
export function newestUserEvents(events: readonly PlacedUserEvent[]): PlacedUserEvent[] {
  const newest = new Map<string, PlacedUserEvent>()
  for (const placed of events) {
    const known = newest.get(placed.event.id)
    if (known === undefined || isLaterUserEvent(known, placed)) newest.set(placed.event.id, placed)
  }
  return [...newest.values()]
}
