import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseEnvelope, parseExactly } from './wire-json.ts'

test('a whole number beyond 2^53 in a row keeps its digits, whatever strings surround it', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.string(), (value, text) => {
      const json = `{"after":{"t":${JSON.stringify(text)},"n":${value}},"source":{"ts_ns":1700000000000000000}}`
      const { after } = parseEnvelope(json) as { after: { t: string; n: number | string } }
      expect(after.t).toBe(text)
      expect(BigInt(after.n)).toBe(value)
    }),
  )
})

test('a floating point number stays the number it was', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const parsed = parseExactly(JSON.stringify({ value })) as { value: number | string }
      expect(Number(parsed.value)).toBe(value === 0 ? 0 : value)
    }),
  )
})

test('digits inside a text value are left alone', () => {
  const value = '{"id":12345678901234567890,"x":":12345678901234567890,"}'
  expect(parseExactly(JSON.stringify({ value }))).toEqual({ value })
})
