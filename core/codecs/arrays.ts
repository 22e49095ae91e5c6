import { type ColumnCodec, codec } from './codec.ts'
import {
  UNAVAILABLE_BASE64,
  UNAVAILABLE_NUMBERS,
  UNAVAILABLE_PLACEHOLDER,
  UNAVAILABLE_UUID,
  unavailable,
} from './unavailable.ts'
import { refuse, ValueError } from './value-error.ts'

/**
 * Arrays of one dimension that begin at index 1. Debezium sends other arrays in the same form, so sql/source captures
 * an array column only when a check constraint excludes other arrays.
 */
export function arrayOf(element: ColumnCodec): ColumnCodec {
  return codec((wire) => {
    if (!Array.isArray(wire)) return refuse('array', wire)
    return isUnavailable(wire) ? unavailable : arrayLiteral(wire, element)
  })
}

/** An unchanged TOASTed array arrives as an array of the placeholder, in the form that its element type can hold. */
function isUnavailable(wire: readonly unknown[]): boolean {
  if (wire.length === 1) {
    return wire[0] === UNAVAILABLE_PLACEHOLDER || wire[0] === UNAVAILABLE_BASE64 || wire[0] === UNAVAILABLE_UUID
  }
  return wire.length === UNAVAILABLE_NUMBERS.length && wire.every((number, i) => number === UNAVAILABLE_NUMBERS[i])
}

/** The text that Postgres's array input reads. */
function arrayLiteral(wire: readonly unknown[], { decode }: ColumnCodec): string {
  let literal = '{'
  for (let i = 0; i < wire.length; i++) {
    if (i > 0) literal += ','
    if (wire[i] === null) literal += 'NULL'
    else {
      const text = decode(wire[i])
      if (text === unavailable) throw new ValueError('the change leaves out an element of an array')
      literal += quoteElement(text)
    }
  }
  return `${literal}}`
}

/** An element in double quotes, as Postgres's array input reads it. */
export function quoteElement(text: string): string {
  // A regular expression takes 1.5 times as long.
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
