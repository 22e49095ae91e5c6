/** A value as Postgres's input functions read it, or null. */
export type InputText = string | null

/** Stands for a TOASTed value that an update left as it was: Debezium does not send it. */
export const unavailable: unique symbol = Symbol('unavailable')

/** Input text, or `unavailable`. */
export type Decoded = string | typeof unavailable

/** Turns a value as Debezium sends it into Postgres's input text. Throws a ValueError where it may have been damaged. */
export type Decode = (wire: unknown) => Decoded

/** A value that cannot be carried exactly: the table stops rather than hold another value. */
export class ValueError extends Error {
  override readonly name = 'ValueError'
  readonly retryable = false
}

/** How the values of one column type travel. */
export type ColumnCodec = {
  readonly decode: Decode
  /** Whether two different input texts can be one value in a key (numeric 1.0 and 1.00); gives the common form. */
  readonly canonical: (text: string) => string
  /** Input texts hold none of the characters that mean something inside an array literal. */
  readonly plain: boolean
}

/** What Debezium sends for a TOASTed value that an update did not touch. */
const unavailableText = '__debezium_unavailable_value'
const unavailableBase64 = 'X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=='

const asIs = (text: string): string => text

function fail(type: string, wire: unknown): never {
  throw new ValueError(`${JSON.stringify(wire)?.slice(0, 80)} is not a ${type} that can be carried exactly`)
}

const integer: Decode = (wire) => {
  if (typeof wire === 'number' && Number.isSafeInteger(wire)) return `${wire}`
  return typeof wire === 'string' && /^-?\d+$/.test(wire) ? wire : fail('integer', wire)
}

/** How Debezium writes the numerics that have no digits. */
const specialNumerics = new Map<unknown, string>([
  ['NAN', 'NaN'],
  ['POSITIVE_INFINITY', 'Infinity'],
  ['NEGATIVE_INFINITY', '-Infinity'],
])

const decimal: Decode = (wire) => {
  if (typeof wire === 'string' && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(wire)) return wire
  return specialNumerics.get(wire) ?? fail('numeric', wire)
}

const float: Decode = (wire) => {
  if (typeof wire === 'number') return Object.is(wire, -0) ? '-0' : `${wire}`
  // A long whole number arrives as its digits.
  return typeof wire === 'string' && /^(NaN|-?Infinity|-?\d+)$/.test(wire) ? wire : fail('floating point number', wire)
}

const string: Decode = (wire) => {
  if (typeof wire !== 'string') return fail('string', wire)
  if (wire === unavailableText) return unavailable
  return wire
}

const boolean: Decode = (wire) => (wire === true ? 't' : wire === false ? 'f' : fail('boolean', wire))

/** Debezium's sentinels for infinity, and the four-digit years whose era and digits survive the way. */
const date: Decode = (wire) => {
  if (typeof wire !== 'string') return fail('date', wire)
  if (/^\d{4}-\d\d-\d\dZ?$/.test(wire)) return wire.slice(0, 10)
  return infinity(wire) ?? fail('date', wire)
}

const timestamp: Decode = (wire) => {
  if (typeof wire !== 'string') return fail('timestamp', wire)
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z?$/.test(wire)) return wire.endsWith('Z') ? wire.slice(0, -1) : wire
  return infinity(wire) ?? fail('timestamp', wire)
}

const timestampWithZone: Decode = (wire) => {
  if (typeof wire !== 'string') return fail('timestamp with time zone', wire)
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/.test(wire)) return wire
  return infinity(wire) ?? fail('timestamp with time zone', wire)
}

/** How Debezium writes infinity: read by a snapshot or streamed, as date, timestamp or timestamp with time zone. */
const infinities: readonly (readonly [prefix: string, text: string])[] = [
  ['infinity', 'infinity'],
  ['-infinity', '-infinity'],
  ['+292278994-08-1', 'infinity'],
  ['+5877611-06-21', 'infinity'],
  ['-5877611-06-22', '-infinity'],
]

const infinity = (wire: string): string | undefined => infinities.find(([prefix]) => wire.startsWith(prefix))?.[1]

const time: Decode = (wire) =>
  typeof wire === 'string' && /^\d\d:\d\d:\d\d(\.\d{1,6})?Z?$/.test(wire) ? wire.replace('Z', '') : fail('time', wire)

const interval: Decode = (wire) =>
  typeof wire === 'string' && /^-?P[-+0-9YMWDTHS.]+$/.test(wire) ? wire : fail('interval', wire)

const bytea: Decode = (wire) => {
  if (typeof wire !== 'string') return fail('bytea', wire)
  if (wire === unavailableBase64) return unavailable
  return `\\x${base64ToHex(wire)}`
}

const base64Digits = new Map(
  [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((c, i) => [c, i]),
)

function base64ToHex(text: string): string {
  let hex = ''
  let bits = 0
  let held = 0
  for (const character of text.replace(/=+$/, '')) {
    const digit = base64Digits.get(character)
    if (digit === undefined) fail('base64 text', text)
    held = ((held << 6) | digit) & 0xfff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      hex += ((held >> bits) & 0xff).toString(16).padStart(2, '0')
    }
  }
  return hex
}

/** One-dimensional arrays; more dimensions and lower bounds do not survive the way. */
function arrayOf(element: Decode): Decode {
  return (wire) => {
    if (!Array.isArray(wire) || wire.some(Array.isArray)) return fail('one-dimensional array', wire)
    return arrayLiteral(wire.map((item) => (item === null ? null : (element(item) as string))))
  }
}

/** Postgres's array input text of elements that are input texts themselves. */
function arrayLiteral(elements: readonly InputText[]): string {
  return `{${elements.map((e) => (e === null ? 'NULL' : quoteElement(e))).join(',')}}`
}

/** An element between double quotes, as array input wants it. */
export function quoteElement(text: string): string {
  return /["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`
}

/** `1.500` and `1.5`, `0` and `-0.00` are one numeric. */
function canonicalDecimal(text: string): string {
  const trimmed = text.includes('.') && !/[eE]/.test(text) ? text.replace(/\.?0+$/, '') : text
  return trimmed === '-0' ? '0' : trimmed
}

const codecs: Readonly<Record<string, ColumnCodec>> = {
  smallint: { decode: integer, canonical: asIs, plain: true },
  integer: { decode: integer, canonical: asIs, plain: true },
  bigint: { decode: integer, canonical: asIs, plain: true },
  numeric: { decode: decimal, canonical: canonicalDecimal, plain: true },
  real: { decode: float, canonical: asIs, plain: true },
  'double precision': { decode: float, canonical: asIs, plain: true },
  text: { decode: string, canonical: asIs, plain: false },
  'character varying': { decode: string, canonical: asIs, plain: false },
  character: { decode: string, canonical: (text) => text.replace(/ +$/, ''), plain: false },
  boolean: { decode: boolean, canonical: asIs, plain: true },
  date: { decode: date, canonical: asIs, plain: true },
  'timestamp without time zone': { decode: timestamp, canonical: asIs, plain: true },
  'timestamp with time zone': { decode: timestampWithZone, canonical: asIs, plain: true },
  'time without time zone': { decode: time, canonical: asIs, plain: true },
  interval: { decode: interval, canonical: asIs, plain: false },
  uuid: { decode: string, canonical: asIs, plain: false },
  json: { decode: string, canonical: asIs, plain: false },
  jsonb: { decode: string, canonical: asIs, plain: false },
  bytea: { decode: bytea, canonical: asIs, plain: false },
}

/**
 * The codec of a type as `format_type` writes it (`numeric(12,2)`, `timestamp(3) without time zone`, `text[]`), or
 * undefined where values of the type are not carried exactly.
 */
export function columnCodec({ carried }: { readonly carried: string }): ColumnCodec | undefined {
  if (carried.endsWith('[]')) {
    const element = columnCodec({ carried: carried.slice(0, -2) })
    return element && { decode: arrayOf(element.decode), canonical: asIs, plain: false }
  }
  return codecs[carried.replace(/\([\d,-]+\)/, '')]
}
