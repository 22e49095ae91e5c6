import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  compareSingleValues,
  decodeSingleValue,
  encodeSingleValue,
  type SingleValue,
  type SingleValueType,
  truncateLower,
  truncateUpper,
} from './single-value.ts'

test.each<[SingleValueType, SingleValue, number[]]>([
  ['boolean', false, [0]],
  ['boolean', true, [1]],
  ['int', 34, [0x22, 0, 0, 0]],
  ['int', -1, [255, 255, 255, 255]],
  ['date', 17_486, [0x4e, 0x44, 0, 0]],
  ['long', 34, [0x22, 0, 0, 0, 0, 0, 0, 0]],
  ['long', -(2n ** 63n), [0, 0, 0, 0, 0, 0, 0, 0x80]],
  ['timestamptz', 1_510_871_468_000_000, [0x00, 0xc3, 0x26, 0x2d, 0x21, 0x5e, 0x05, 0x00]],
  ['float', 1, [0, 0, 0x80, 0x3f]],
  ['double', 1, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]],
  ['string', 'ü', [0xc3, 0xbc]],
  ['binary', Uint8Array.of(1, 2), [1, 2]],
])('%s %s is written as the specification says', (type, value, bytes) => {
  expect(Array.from(encodeSingleValue(type, value))).toEqual(bytes)
  expect(decodeSingleValue(type, Uint8Array.from(bytes))).toEqual(value)
})

test('every 64-bit value comes back exact', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(BigInt(decodeSingleValue('long', encodeSingleValue('long', value)) as number | bigint)).toBe(value)
    }),
  )
})

test('a bound from before its column was promoted is read', () => {
  expect(decodeSingleValue('long', encodeSingleValue('int', -5))).toBe(-5)
  expect(decodeSingleValue('double', encodeSingleValue('float', 0.5))).toBe(0.5)
})

test.each<[SingleValueType, SingleValue]>([
  ['int', 2 ** 31],
  ['long', 2 ** 53],
  ['long', 2n ** 63n],
  ['string', 1],
  ['boolean', 'true'],
  ['binary', 'text'],
])('as %s, %s is refused', (type, value) => {
  expect(() => encodeSingleValue(type, value)).toThrow(RangeError)
})

/** Texts that often begin alike, with code points whose order is different in UTF-16. */
const text = fc.array(fc.constantFrom('a', '\uFFFF', '\u{10000}', '\u{10FFFF}', '\uD7FF', '\uE000', '\uD800'), {
  maxLength: 20,
})
const joined = text.map((points) => points.join(''))
const utf8 = (value: string) => encodeSingleValue('string', value)

test('texts are ordered as their UTF-8 bytes are', () => {
  fc.assert(
    fc.property(joined, joined, (a, b) => {
      expect(Math.sign(compareSingleValues(a, b))).toBe(Math.sign(Buffer.compare(utf8(a), utf8(b))))
    }),
  )
  expect(compareSingleValues('\uFFFF', '\u{10000}')).toBeLessThan(0)
  expect(compareSingleValues(2n ** 60n, 5)).toBeGreaterThan(0)
})

test('cut bounds have 16 code points at most and never leave out a value', () => {
  fc.assert(
    fc.property(joined, (value) => {
      const lower = truncateLower(value)
      const upper = truncateUpper(value)

      expect(Array.from(lower).length).toBeLessThanOrEqual(16)
      expect(Buffer.compare(utf8(lower), utf8(value))).toBeLessThanOrEqual(0)
      if (upper === undefined) return
      expect(Array.from(upper).length).toBeLessThanOrEqual(16)
      expect(Buffer.compare(utf8(upper), utf8(value))).toBeGreaterThanOrEqual(0)
    }),
    { numRuns: 2_000 },
  )
})

test('an upper bound that was cut has its last code point that can be raised, raised', () => {
  const long = 'abcdefghijklmnopqrst'

  expect(truncateUpper('short')).toBe('short')
  expect(truncateUpper(long)).toBe('abcdefghijklmnoq')
  expect(truncateUpper(`abcdefghijklmno\u{10FFFF}${long}`)).toBe('abcdefghijklmnp')
  expect(truncateUpper(`abcdefghijklmno\uD7FF${long}`)).toBe('abcdefghijklmno\uE000')
  expect(truncateUpper('\u{10FFFF}'.repeat(17))).toBeUndefined()
})
