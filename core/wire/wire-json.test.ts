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

/** Numbers as JSON may write them, inside brackets and strings. */
const json = fc.letrec((tie) => ({
  number: fc.oneof(
    fc.bigInt().map(String),
    fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n }).map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc
      .tuple(fc.bigInt({ min: 0n }), fc.nat(), fc.constantFrom('.', 'e', 'E+', 'e-', '.5e'))
      .map(([a, b, mark]) => `${a}${mark}${b % 20}`),
  ),
  text: fc.string({ unit: 'binary' }).map((value) => JSON.stringify(value)),
  value: fc.oneof(
    { depthSize: 'small' },
    tie('number'),
    tie('text'),
    fc.constantFrom('true', 'false', 'null'),
    fc.array(tie('value'), { maxLength: 4 }).map((values) => `[${values.join(' , ')}]`),
    fc
      .array(fc.tuple(tie('text'), tie('value')), { maxLength: 4 })
      .map((pairs) => `{${pairs.map(([k, v]) => `${k} :${v}`).join(',')}}`),
  ),
})).value as fc.Arbitrary<string>

test('documents are parsed as JSON.parse does with the digits of each long integer kept', () => {
  const keepDigits = (_: string, value: unknown, { source }: { source: string }) =>
    typeof value === 'number' && /^-?\d+$/.test(source) && !Number.isSafeInteger(value) ? source : value

  fc.assert(
    fc.property(json, (text) => {
      expect(parseExactly(text)).toEqual(JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown))
    }),
    { numRuns: 2_000 },
  )
})

test('text that is not JSON stays invalid when long integers are quoted', () => {
  for (const text of [
    '12345678901234567890x',
    '[12345678901234567890',
    '-',
    '{"a":-12345678901234567890-}',
    '0012345678901234567890',
    '{12345678901234567890 : 1}',
  ]) {
    expect(() => parseExactly(text), text).toThrow('it is not JSON')
  }
})
