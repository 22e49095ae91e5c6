import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { UNAVAILABLE_BASE64, UNAVAILABLE_NUMBERS, UNAVAILABLE_UUID } from './codecs/unavailable.ts'
import { columnCodec, UNAVAILABLE_PLACEHOLDER, unavailable, ValueError } from './column-codec.ts'

const codecOf = (carried: string) => columnCodec({ carried, wire: 'value' })!
const decode = (carried: string, wire: unknown) => codecOf(carried).decode(wire)
const encoded = (text: string) => Buffer.from(text).toString('base64')

test.each([
  ['bigint', '9223372036854775807', '9223372036854775807'],
  ['integer', -2147483648, '-2147483648'],
  ['oid', 4294967295, '4294967295'],
  ['numeric(38,10)', '-0.0000000001', '-0.0000000001'],
  ['numeric', 'NAN', 'NaN'],
  ['numeric', 'NEGATIVE_INFINITY', '-Infinity'],
  ['double precision', -0, '-0'],
  ['double precision', 1e300, '1e+300'],
  ['real', 'Infinity', 'Infinity'],
  ['money', '-92233720368547758.08', '-92233720368547758.08'],
  ['boolean', true, 't'],
  ['"char"', '\\351', '\\351'],
  ['hstore', '{"b":null,"a \\"":"c\\\\"}', '"a \\""=>"c\\\\", "b"=>NULL'],
  ['hstore', '{"__proto__":"1"}', '"__proto__"=>"1"'],
  ['bytea', '3q2+7w==', '\\xdeadbeef'],
  ['bytea', '', '\\x'],
  ['bit(1)', true, '1'],
  ['bit(3)', 'BQ==', '101'],
  ['bit(13)', 'ABA=', '1000000000000'],
  ['bit(3)', '', '000'],
  ['text[]', ['a"b', null, '', 'c\\d', 'NULL'], '{"a\\"b",NULL,"","c\\\\d","NULL"}'],
  ['integer[]', [1, null], '{"1",NULL}'],
])('%s %j becomes %j', (type, wire, text) => {
  expect(decode(type, wire)).toBe(text)
})

test.each([
  ['date', 0, '1970-01-01'],
  ['date', 19_782, '2024-02-29'],
  ['date', -719_162, '0001-01-01'],
  ['date', -719_163, '0001-12-31 BC'],
  ['date', -735_160, '0044-03-15 BC'],
  ['date', -141_432, '1582-10-10'],
  ['date', 2_932_897, '10000-01-01'],
  ['date', 2_145_042_905, '5874897-12-31'],
  ['date', -622_191_234, 'infinity'],
  ['date', 2_146_033_979, 'infinity'],
  ['date', -625_821_272, '-infinity'],
  ['date', -2_147_472_691, '-infinity'],
  ['time without time zone', 45_296_789_000, '12:34:56.789000'],
  ['time(0) without time zone', 86_400_000_000, '24:00:00'],
  ['time with time zone', '24:00:00Z', '24:00:00+00'],
  ['timestamp(3) without time zone', 1_709_251_199_123_000, '2024-02-29 23:59:59.123000'],
  ['timestamp without time zone', -1, '1969-12-31 23:59:59.999999'],
  ['timestamp without time zone', '-62135596800000001', '0001-12-31 23:59:59.999999 BC'],
  ['timestamp without time zone', '253402300799999999', '9999-12-31 23:59:59.999999'],
  ['timestamp without time zone', '9223372036854775807', 'infinity'],
  ['timestamp without time zone', '-9223372036854775808', '-infinity'],
  ['timestamp with time zone', '2024-02-29T23:59:59Z', '2024-02-29T23:59:59Z'],
  ['timestamp with time zone', '+10000-01-01T00:00:00.000000Z', '10000-01-01 00:00:00.000000+00'],
  ['timestamp with time zone', '0000-12-31T23:59:59.999999Z', '0001-12-31 23:59:59.999999+00 BC'],
  ['timestamp with time zone', '-0043-03-15T12:00:00.123Z', '0044-03-15 12:00:00.123+00 BC'],
  ['timestamp with time zone', 'infinity', 'infinity'],
  ['interval day to second(3)', 'P0Y-1M2DT-3H-4M-5.678901S', 'P0Y-1M2DT-3H-4M-5.678901S'],
])('%s %j becomes %j', (type, wire, text) => {
  expect(decode(type, wire)).toBe(text)
})

test.each([
  ['point', { x: 0.1, y: 'NaN', wkb: '' }, '(0.1,NaN)'],
  ['line', { a: 1, b: -0, c: 3 }, '{1,-0,3}'],
  ['circle', { center: { x: 1, y: 2 }, radius: 1e300 }, '<(1,2),1e+300>'],
  ['lseg', { wkb: 'AQIAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8=' }, '[(0,0),(1,1)]'],
  [
    'path',
    { wkb: 'AQIAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8=', extensions: { closed: 'true' } },
    '((0,0),(1,1))',
  ],
])('%s %j becomes %j', (type, wire, text) => {
  expect(decode(type, wire)).toBe(text)
})

test('a type that Debezium does not know is Postgres’s text', () => {
  const { decode } = columnCodec({ carried: 'tsquery', wire: 'text' })!

  expect(decode(encoded("'é' & '😀'"))).toBe("'é' & '😀'")
  expect(columnCodec({ carried: 'text', wire: 'text' })!.decode(encoded('("a, ""b""",1)'))).toBe('("a, ""b""",1)')
})

test.each([
  ['integer', 1.5],
  ['numeric', 1.5],
  ['numeric', '1e5'],
  ['date', '2024-02-29Z'],
  ['date', -2_440_589],
  ['date', 1.5],
  ['time without time zone', 86_400_000_001],
  ['timestamp without time zone', '-9223372036853775810'],
  ['timestamp without time zone', 2 ** 53],
  ['timestamp with time zone', '2024-02-29T23:59:59+02:00'],
  ['interval', 'P1D'],
  ['bit(3)', 'CA=='],
  ['integer[]', '{1}'],
  ['boolean', 'true'],
  ['path', { wkb: 'AQIAAAACAAAA', extensions: { closed: 'true' } }],
])('%s refuses %j instead of storing another value', (type, wire) => {
  expect(() => decode(type, wire)).toThrow(ValueError)
})

test.each([
  ['text', UNAVAILABLE_PLACEHOLDER],
  ['numeric', UNAVAILABLE_PLACEHOLDER],
  ['tsvector', UNAVAILABLE_PLACEHOLDER],
  ['bytea', UNAVAILABLE_BASE64],
  ['hstore', JSON.stringify({ [UNAVAILABLE_PLACEHOLDER]: UNAVAILABLE_PLACEHOLDER })],
  ['text[]', [UNAVAILABLE_PLACEHOLDER]],
  ['bytea[]', [UNAVAILABLE_BASE64]],
  ['uuid[]', [UNAVAILABLE_UUID]],
  ['integer[]', [...UNAVAILABLE_NUMBERS]],
  ['date[]', [...UNAVAILABLE_NUMBERS]],
])('an unchanged TOASTed %s is no value', (type, wire) => {
  expect(decode(type, wire)).toBe(unavailable)
})

test('the forms of the placeholder are those of one text', () => {
  const hash = createHash('md5').update(UNAVAILABLE_PLACEHOLDER).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x30
  hash[8] = (hash[8]! & 0x3f) | 0x80

  expect(UNAVAILABLE_UUID.replaceAll('-', '')).toBe(hash.toString('hex'))
  expect(UNAVAILABLE_BASE64).toBe(encoded(UNAVAILABLE_PLACEHOLDER))
})

test('a type that is not carried exactly has no codec, and no text of a type can be injected into a statement', () => {
  for (const type of ['bit varying', 'regclass', 'vector(3)', 'text; drop table x', 'numeric(1,2) x', 'interval x']) {
    expect(columnCodec({ carried: type, wire: 'value' })).toBeUndefined()
    expect(columnCodec({ carried: `${type}[]`, wire: 'value' })).toBeUndefined()
    expect(columnCodec({ carried: type, wire: 'text' })).toBeUndefined()
  }
})

test.each([
  ['numeric', ['1', '1.0', '1.00'], ['10', '100', '1.01']],
  ['numeric', ['0', '-0.0', '0.00'], ['0.1']],
  ['real', ['0', '-0'], ['1']],
  ['character(5)', ['ab', 'ab   '], [' ab', 'a b']],
  ['citext', ['Straße', 'STRAße'], ['strasse', 'straße ']],
  ['jsonb', ['{"a": [1, "1.0"]}', '{"a": [1.00, "1.0"]}'], ['{"a": [1, "1"]}', '{"a": [1.01, "1.0"]}']],
  ['numrange', ['[1,2.50)', '[1.0,2.5)'], ['[1,2.5]', '[10,2.5)']],
  [
    'interval',
    ['P0Y1M0DT0H0M0S', 'P0Y0M29DT24H0M0S', 'P0Y0M30DT0H1M-60.0S'],
    ['P0Y0M0DT0H0M0.000001S', 'P0Y0M31DT0H0M0S'],
  ],
])('keys of %s that Postgres holds equal are one key, others are not', (type, equal, others) => {
  const { canonical } = codecOf(type)

  expect(new Set(equal.map(canonical)).size).toBe(1)
  expect(new Set([equal[0]!, ...others].map(canonical)).size).toBe(others.length + 1)
})

test('a citext key whose lower case depends on the database stops its table', () => {
  expect(() => codecOf('citext').canonical('Änne')).toThrow(ValueError)
})
