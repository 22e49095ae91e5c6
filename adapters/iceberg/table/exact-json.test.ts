import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseExactJson, stringifyExactJson } from './exact-json.ts'

test('every 64-bit integer comes back as it was, as bigint only where a number would round it', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (id) => {
      const parsed = parseExactJson(`{"snapshot-id":${id}}`) as { 'snapshot-id': number | bigint }

      expect(BigInt(parsed['snapshot-id'])).toBe(id)
      expect(typeof parsed['snapshot-id']).toBe(Number.isSafeInteger(Number(id)) ? 'number' : 'bigint')
      expect(stringifyExactJson(parsed)).toBe(`{"snapshot-id":${id}}`)
    }),
  )
})

test('JSON without large integers is read and written as JSON does it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value)
      fc.pre(!/\d{16}/.test(text))

      expect(parseExactJson(text)).toEqual(JSON.parse(text))
      expect(stringifyExactJson(value)).toBe(text)
    }),
  )
})

test('large fractions stay numbers, and digits in a text stay text', () => {
  expect(parseExactJson('[1e300, 9007199254740993.5, "12345678901234567890"]')).toEqual([
    1e300,
    9007199254740994,
    '12345678901234567890',
  ])
})
