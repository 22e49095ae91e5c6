import * as v from 'valibot'
import { parseExactly } from './wire-json.ts'

const bigint = v.pipe(
  v.union([v.number(), v.string()]),
  v.transform((value) => `${value}`),
  v.regex(/^-?\d{1,19}$/, 'must be a whole number of 64 bits'),
  v.check((digits) => BigInt.asIntN(64, BigInt(digits)) === BigInt(digits), 'must be a whole number of 64 bits'),
)

const integer = v.pipe(v.number(), v.integer(), v.minValue(-(2 ** 31)), v.maxValue(2 ** 31 - 1))

// Postgres holds no NUL in text and no year 0.
const text = v.pipe(v.string(), v.excludes('\u0000'))
const instant = v.pipe(v.string(), v.isoTimestamp(), v.regex(/^(?!0000)/))

const deltaSchema = v.object({
  id: bigint,
  name: v.nullish(text, null),
  age: v.nullish(integer, null),
  op: v.picklist(['insert', 'update', 'delete']),
  event_order: bigint,
  ts: v.nullish(instant, null),
  /** Grows with every run of a producer; a producer that sends none has run 0. */
  run: v.optional(bigint, '0'),
})

/** A plain delta as published to the topic of user events: numbers as digits, ts as ISO 8601 text or null. */
export type UserEvent = {
  readonly id: string
  readonly name: string | null
  readonly age: number | null
  readonly op: 'insert' | 'update' | 'delete'
  readonly eventOrder: string
  readonly run: string
  readonly ts: string | null
}

/** Reads a plain delta, or says why it is none. */
export function readUserEvent(value: string | undefined): UserEvent | { readonly malformed: string } {
  if (value === undefined) return { malformed: 'the record has no value' }
  let json: unknown
  try {
    json = parseExactly(value)
  } catch (error) {
    return { malformed: (error as Error).message }
  }
  const parsed = v.safeParse(deltaSchema, json)
  if (!parsed.success) {
    const issue = parsed.issues[0]
    return { malformed: `${v.getDotPath(issue) ?? 'value'}: ${issue.message}` }
  }
  const { event_order: eventOrder, ...rest } = parsed.output
  return { ...rest, eventOrder }
}

/** A delta and its place: the order of two deltas of one id is (run, event_order, topic partition, offset). */
export type PlacedUserEvent = { readonly offset: number; readonly event: UserEvent }

/** Whether b comes after a, both from one topic partition. */
function isLaterUserEvent(a: PlacedUserEvent, b: PlacedUserEvent): boolean {
  const byRun = BigInt(b.event.run) - BigInt(a.event.run)
  if (byRun !== 0n) return byRun > 0n
  const byOrder = BigInt(b.event.eventOrder) - BigInt(a.event.eventOrder)
  return byOrder === 0n ? b.offset > a.offset : byOrder > 0n
}

/** The newest delta of each id. */
export function newestUserEvents(events: readonly PlacedUserEvent[]): PlacedUserEvent[] {
  const newest = new Map<string, PlacedUserEvent>()
  for (const placed of events) {
    const known = newest.get(placed.event.id)
    if (known === undefined || isLaterUserEvent(known, placed)) newest.set(placed.event.id, placed)
  }
  return [...newest.values()]
}
