import { codec, codecWithKey, type Decode } from './codec.ts'
import { UNAVAILABLE_PLACEHOLDER, unavailable } from './unavailable.ts'
import { refuse } from './value-error.ts'

const decodeInteger: Decode = (wire) => {
  if (typeof wire === 'number' && Number.isSafeInteger(wire)) return `${wire}`
  // These digits do not fit a JavaScript number. BigInt removes leading zeros, because equal keys must give one text.
  return typeof wire === 'string' && /^-?\d{1,19}$/.test(wire) ? `${BigInt(wire)}` : refuse('integer', wire)
}

/** How Debezium writes the numerics that have no digits. */
const specialNumerics = new Map<unknown, string>([
  ['NAN', 'NaN'],
  ['POSITIVE_INFINITY', 'Infinity'],
  ['NEGATIVE_INFINITY', '-Infinity'],
])

const decodeDecimal: Decode = (wire) => {
  if (typeof wire !== 'string') return refuse('numeric', wire)
  if (/^-?\d+(\.\d+)?$/.test(wire)) return wire
  if (wire === UNAVAILABLE_PLACEHOLDER) return unavailable
  return specialNumerics.get(wire) ?? refuse('numeric', wire)
}

/** Postgres's text of a floating point number in Debezium's JSON; NaN and the infinities arrive as strings. */
export function floatText(wire: unknown): string {
  // A number beyond the range of a double becomes an infinity when it is parsed, so an infinite number is refused:
  // Debezium sends real infinities as strings.
  if (typeof wire === 'number' && Number.isFinite(wire)) return Object.is(wire, -0) ? '-0' : `${wire}`
  return typeof wire === 'string' && /^(NaN|-?Infinity|-?\d+)$/.test(wire)
    ? wire
    : refuse('floating point number', wire)
}

/** `1.500` and `1.5` are one numeric, and so are `0` and `-0.00`. */
export function canonicalDecimal(text: string): string {
  const short = text.includes('.') ? text.replace(/\.?0+$/, '') : text
  const trimmed = short.replace(/^(-?)0+(?=\d)/, '$1')
  return trimmed === '-0' ? '0' : trimmed
}

export const integer = codec(decodeInteger, true)
export const numeric = codecWithKey(decodeDecimal, canonicalDecimal, true)
export const float = codecWithKey(floatText, (text) => (text === '-0' ? '0' : text), true)
/** Debezium reads money in the locale C, so its digits do not depend on the source's locale. */
export const money = codec(
  (wire) => (typeof wire === 'string' && /^-?\d+\.\d\d$/.test(wire) ? wire : refuse('money', wire)),
  true,
)
export const boolean = codec((wire) => (wire === true ? 't' : wire === false ? 'f' : refuse('boolean', wire)), true)
