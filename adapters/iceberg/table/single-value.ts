/** The primitive types of Iceberg that can be written as single values here. */
export type SingleValueType =
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'string'
  | 'binary'

/** A date is in days, a time in µs, a timestamp in µs since 1970. A long that is not a safe integer is a bigint. */
export type SingleValue = boolean | number | bigint | string | Uint8Array

/** The number of code points that are kept of a text bound. It is Iceberg's own default. */
const BOUND_LENGTH = 16

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A value in the form of a bound: the binary single-value serialization in Appendix D of the specification. Throws a
 * RangeError if the value is not of the type, because a wrong bound would make readers skip rows.
 */
export function encodeSingleValue(type: SingleValueType, value: SingleValue): Uint8Array {
  switch (type) {
    case 'boolean':
      return Uint8Array.of(of('boolean', value, type) ? 1 : 0)
    case 'int':
    case 'date':
      return fixed(4, (view) => view.setInt32(0, int(value, type), true))
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return fixed(8, (view) => view.setBigInt64(0, long(value, type), true))
    case 'float':
      return fixed(4, (view) => view.setFloat32(0, of('number', value, type), true))
    case 'double':
      return fixed(8, (view) => view.setFloat64(0, of('number', value, type), true))
    case 'string':
      return encoder.encode(of('string', value, type))
    case 'binary':
      if (value instanceof Uint8Array) return value
      throw misfit(value, type)
  }
}

/** The value of a bound. Bytes of an int or float for a long or double are from before the column was promoted. */
export function decodeSingleValue(type: SingleValueType, bytes: Uint8Array): SingleValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const promoted = bytes.length === 4
  switch (type) {
    case 'boolean':
      return view.getUint8(0) !== 0
    case 'int':
    case 'date':
      return view.getInt32(0, true)
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return promoted ? view.getInt32(0, true) : exact(view.getBigInt64(0, true))
    case 'float':
      return view.getFloat32(0, true)
    case 'double':
      return promoted ? view.getFloat32(0, true) : view.getFloat64(0, true)
    case 'string':
      return decoder.decode(bytes)
    case 'binary':
      return bytes
  }
}

/** The order of bounds. Texts are ordered by their UTF-8 bytes and bytes by themselves, as readers compare them. */
export function compareSingleValues(a: SingleValue, b: SingleValue): number {
  if (typeof a === 'string') return Buffer.compare(encoder.encode(a), encoder.encode(b as string))
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array)
  return a < b ? -1 : a > b ? 1 : 0
}

/** The first 16 code points, which are never greater than the text. */
export function truncateLower(text: string): string {
  return firstPoints(text.toWellFormed()).join('')
}

/** A text of at most 16 code points that is not less than the given one; undefined if there is none. */
export function truncateUpper(text: string): string | undefined {
  const whole = text.toWellFormed()
  const points = firstPoints(whole)
  if (points.join('').length === whole.length) return whole
  for (let last = points.length - 1; last >= 0; last--) {
    const next = points[last]!.codePointAt(0)! + 1
    if (next > 0x10ffff) continue
    // A surrogate alone is not a character, and would be written as U+FFFD.
    return points.slice(0, last).join('') + String.fromCodePoint(next === 0xd800 ? 0xe000 : next)
  }
  return undefined
}

const firstPoints = (text: string): string[] => Array.from(text.slice(0, BOUND_LENGTH * 2)).slice(0, BOUND_LENGTH)

function fixed(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length)
  write(new DataView(bytes.buffer))
  return bytes
}

type Kinds = { boolean: boolean; number: number; string: string }

function of<K extends keyof Kinds>(kind: K, value: SingleValue, type: SingleValueType): Kinds[K] {
  if (typeof value !== kind) throw misfit(value, type)
  return value as Kinds[K]
}

function int(value: SingleValue, type: SingleValueType): number {
  if (typeof value !== 'number' || value !== (value | 0)) throw misfit(value, type)
  return value
}

function long(value: SingleValue, type: SingleValueType): bigint {
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  throw misfit(value, type)
}

function exact(value: bigint): number | bigint {
  const short = Number(value)
  return Number.isSafeInteger(short) ? short : value
}

const misfit = (value: SingleValue, type: SingleValueType): RangeError =>
  new RangeError(`${value} is not a value of Iceberg type ${type}`)
