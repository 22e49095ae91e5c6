import { isWrittenNumber, readDecimal, wholePart } from './exact-json.ts'

/** Why a value cannot be read. */
export class Malformed {
  readonly malformed: string

  constructor(reason: string) {
    this.malformed = reason
  }
}

/** Reads a value that parseAsWritten returned, or says why it cannot be read. */
export type Reader<T> = (value: unknown) => T | Malformed

/** A JSON object that parseAsWritten returned. */
export type JsonObject = { readonly [name: string]: unknown }

/** Whether the value is an object, and neither an array nor a number as it was written. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isWrittenNumber(value)

/** Reads fields by name. If a field cannot be read, the result is the reason of the first such field, with its name. */
export function readFields<R extends { [name: string]: Reader<unknown> }>(
  from: JsonObject,
  readers: R,
): { [K in keyof R]: Exclude<ReturnType<R[K]>, Malformed> } | Malformed {
  const read: [string, unknown][] = []
  for (const [name, reader] of Object.entries(readers)) {
    const value = reader(Object.hasOwn(from, name) ? from[name] : undefined)
    if (value instanceof Malformed) return new Malformed(`${name} ${value.malformed}`)
    read.push([name, value])
  }
  return Object.fromEntries(read) as { [K in keyof R]: Exclude<ReturnType<R[K]>, Malformed> }
}

/** Reads null where a value is null or absent. */
export const nullable =
  <T>(reader: Reader<T>): Reader<T | null> =>
  (value) =>
    value === undefined || value === null ? null : reader(value)

/** Reads an integer of 64 bits, by its value, and returns its digits. */
export const readBigint: Reader<string> = (value) => {
  const whole = readWhole(value, 64)
  return whole instanceof Malformed ? whole : `${whole}`
}

/** Reads an integer of 32 bits, by its value. */
export const readInteger: Reader<number> = (value) => {
  const whole = readWhole(value, 32)
  return whole instanceof Malformed ? whole : Number(whole)
}

/**
 * A JSON number counts by its value: 7, 7.0 and 7e0 are the same. Text must be as Postgres writes the number: "007" may
 * be a code that differs from "7", so "007" is refused.
 */
function readWhole(value: unknown, bits: 32 | 64): bigint | Malformed {
  const whole = isWrittenNumber(value) ? wholeOf(value.rawJSON) : digitsOf(value)
  if (whole === undefined || BigInt.asIntN(bits, whole) !== whole) {
    return new Malformed(`must be a whole number of ${bits} bits, and is ${describe(value)}`)
  }
  return whole
}

function wholeOf(written: string): bigint | undefined {
  const decimal = readDecimal(written)
  const part = decimal && wholePart(decimal)
  return part?.exact ? part.whole : undefined
}

const digitsOf = (value: unknown): bigint | undefined =>
  typeof value === 'string' && /^(0|-?[1-9]\d{0,18})$/.test(value) ? BigInt(value) : undefined

/** Reads text that Postgres can store: it has no NUL and no half of a surrogate pair. */
export const readText: Reader<string> = (value) =>
  typeof value !== 'string'
    ? new Malformed(`must be text, and is ${describe(value)}`)
    : (whyNotStorable(value) ?? value)

/**
 * The members of an object that are not in `besides`, as JSON text that jsonb stores exactly; null when there are none.
 */
export function readRest(from: JsonObject, besides: ReadonlySet<string>): string | null | Malformed {
  const rest = Object.entries(from).filter(([name]) => !besides.has(name))
  for (const [name, value] of rest) {
    const why = whyNotStorable(name) ?? whyNoJsonb(value)
    if (why !== undefined) return new Malformed(`${describe(name)} ${why.malformed}`)
  }
  return rest.length === 0 ? null : JSON.stringify(Object.fromEntries(rest))
}

function whyNoJsonb(value: unknown): Malformed | undefined {
  if (typeof value === 'string') return whyNotStorable(value)
  if (isWrittenNumber(value)) {
    return readDecimal(value.rawJSON) === undefined ? new Malformed('has a number beyond those of Postgres') : undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  for (const [name, each] of Object.entries(value)) {
    const why = whyNotStorable(name) ?? whyNoJsonb(each)
    if (why !== undefined) return why
  }
  return undefined
}

function whyNotStorable(text: string): Malformed | undefined {
  if (text.includes('\u0000')) return new Malformed('has a NUL character, which Postgres holds in no text')
  if (!text.isWellFormed()) return new Malformed('has half a surrogate pair, which is no character')
  return undefined
}

/** A value as text for a message, shortened when it is long. */
export function describe(value: unknown): string {
  if (value === undefined) return 'absent'
  const text = JSON.stringify(value)
  return text.length <= 60 ? text : `${text.slice(0, 59).toWellFormed()}…`
}
