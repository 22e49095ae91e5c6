import { expect, test } from 'vitest'
import { columnCodec, ValueError } from './column-codec.ts'

const decode = (type: string, wire: unknown) => columnCodec(type)!.decode(wire)

test.each([
  ['bigint', '9223372036854775807', '9223372036854775807'],
  ['integer', -2147483648, '-2147483648'],
  ['numeric(38,10)', '-0.0000000001', '-0.0000000001'],
  ['numeric', 'NAN', 'NaN'],
  ['numeric', 'NEGATIVE_INFINITY', '-Infinity'],
  ['double precision', -0, '-0'],
  ['double precision', 1e300, '1e+300'],
  ['real', 'Infinity', 'Infinity'],
  ['boolean', true, 't'],
  ['date', '2024-02-29Z', '2024-02-29'],
  ['date', '+292278994-08-16Z', 'infinity'],
  ['date', '-5877611-06-22Z', '-infinity'],
  ['timestamp(3) without time zone', '2024-02-29T23:59:59.123456Z', '2024-02-29T23:59:59.123456'],
  ['timestamp with time zone', '2024-02-29T23:59:59Z', '2024-02-29T23:59:59Z'],
  ['timestamp with time zone', 'infinity', 'infinity'],
  ['bytea', '3q2+7w==', '\\xdeadbeef'],
  ['bytea', '', '\\x'],
  ['text[]', ['a"b', null, '', 'c\\d', 'NULL'], '{"a\\"b",NULL,"","c\\\\d","NULL"}'],
  ['integer[]', [1, null], '{"1",NULL}'],
])('%s %j becomes %j', (type, wire, text) => {
  expect(decode(type, wire)).toBe(text)
})

test.each([
  ['integer', 1.5],
  ['numeric', 1.5],
  ['date', '0044-03-15 BC'],
  ['date', '+12024-03-15Z'],
  ['timestamp without time zone', '-0043-03-15T12:00:00Z'],
  ['text', '__debezium_unavailable_value'],
  ['bytea', 'X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=='],
  ['integer[]', [[1], [2]]],
  ['boolean', 'true'],
])('%s refuses %j instead of storing another value', (type, wire) => {
  expect(() => decode(type, wire)).toThrow(ValueError)
})

test('a type that is not carried exactly has no codec, and none can be smuggled into a statement', () => {
  for (const type of ['money', 'bit(3)', 'time with time zone', 'int4range', 'text; drop table x', 'numeric(1,2) x']) {
    expect(columnCodec(type)).toBeUndefined()
  }
})

test('keys that Postgres holds equal are one key', () => {
  const numeric = columnCodec('numeric')!.canonical
  expect(new Set(['1', '1.0', '1.00'].map(numeric)).size).toBe(1)
  expect(new Set(['0', '-0.0', '0.00'].map(numeric)).size).toBe(1)
  expect(new Set(['10', '1', '100', '1.01'].map(numeric)).size).toBe(4)
  expect(columnCodec('character(5)')!.canonical('ab   ')).toBe('ab')
})
