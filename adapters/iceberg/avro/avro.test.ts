import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readAvro } from './reader.ts'
import { AvroError, type AvroRecord, type AvroSchema, type AvroValue } from './schema.ts'
import { writeAvro } from './writer.ts'

const record = (type: AvroSchema): AvroRecord => ({ type: 'record', name: 'r', fields: [{ name: 'f', type }] })

function roundTrip(type: AvroSchema, value: AvroValue): AvroValue {
  const [read] = readAvro(writeAvro(record(type), [{ f: value }])).records
  return (read as { f: AvroValue }).f
}

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
/** Values near powers of two, where the encoding changes its length or its method. */
const edge = fc
  .tuple(fc.integer({ min: 0, max: 62 }), fc.bigInt({ min: -2n, max: 2n }), fc.boolean())
  .map(([power, near, negative]) => (negative ? -1n : 1n) * 2n ** BigInt(power) + near)

test('every long comes back exact, as a number where it is safe', () => {
  fc.assert(
    fc.property(fc.oneof(int64, edge), (value) => {
      const asNumber = Number(value)
      const written = Number.isSafeInteger(asNumber) ? asNumber : value

      expect(roundTrip('long', written)).toBe(written)
      expect(roundTrip('long', value)).toBe(written)
    }),
    { numRuns: 2_000 },
  )
})

test('numbers are encoded as the Avro specification shows, least bits first and zigzag', () => {
  const encoded = (value: number | bigint) => Array.from(writeAvro(record('long'), [{ f: value }])).slice(0, -16)
  const lastBytes = (value: number | bigint, count: number) => encoded(value).slice(-count)

  expect([0, -1, 1, -2, 2].map((value) => lastBytes(value, 1))).toEqual([[0], [1], [2], [3], [4]])
  expect(lastBytes(-64, 1)).toEqual([0x7f])
  expect(lastBytes(64, 2)).toEqual([0x80, 0x01])
  expect(lastBytes(-(2n ** 63n), 10)).toEqual([255, 255, 255, 255, 255, 255, 255, 255, 255, 1])
})

test('texts, bytes, numbers and truth values come back as they were', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array(),
      fc.double(),
      fc.integer(),
      (text, bytes, real, int) => {
        expect(roundTrip('string', text)).toBe(text)
        expect(roundTrip('bytes', bytes)).toEqual(bytes)
        expect(roundTrip('double', real)).toBe(real)
        expect(roundTrip('float', Math.fround(real))).toBe(Math.fround(real))
        expect(roundTrip('int', int)).toBe(int)
        expect(roundTrip('boolean', int % 2 === 0)).toBe(int % 2 === 0)
      },
    ),
  )
})

test('a text keeps a byte order mark at its start', () => {
  expect(roundTrip('string', '\uFEFFtext')).toBe('\uFEFFtext')
})

test('a union takes the branch of its value', () => {
  const union: AvroSchema = ['null', 'long', 'string', 'boolean', 'bytes', { type: 'array', items: ['null', 'int'] }]
  const value = fc.oneof(
    fc.constant(null),
    fc.maxSafeInteger(),
    fc.string(),
    fc.boolean(),
    fc.uint8Array(),
    fc.array(fc.option(fc.integer())),
  )

  fc.assert(
    fc.property(value, (each) => {
      expect(roundTrip(union, each)).toEqual(each)
    }),
  )
})

test('arrays, maps, fixed, enums and types that are named again come back as they were', () => {
  const inner: AvroSchema = { type: 'fixed', name: 'pair', size: 2 }
  const fields = [
    { name: 'first', type: inner },
    { name: 'again', type: 'pair' },
    { name: 'map', type: { type: 'map', values: { type: 'array', items: 'long' } } },
    { name: 'enum', type: { type: 'enum', name: 'colour', symbols: ['red', 'blue'] } },
  ] as const
  const value = {
    first: Uint8Array.of(1, 2),
    again: Uint8Array.of(3, 4),
    map: { a: [1, 2 ** 40], b: [] },
    enum: 'blue',
  }

  const file = readAvro(writeAvro({ type: 'record', name: 'outer', fields }, [value]))

  expect(file.records).toEqual([value])
})

test('many records fill several deflated blocks, few stay as they are', () => {
  const rows = Array.from({ length: 20_000 }, (_, index) => ({ f: `row ${index}` }))

  const many = writeAvro(record('string'), rows)
  const few = writeAvro(record('string'), rows.slice(0, 10))

  expect(readAvro(many)).toMatchObject({ records: rows, metadata: { 'avro.codec': 'deflate' } })
  expect(readAvro(few)).toMatchObject({ records: rows.slice(0, 10), metadata: { 'avro.codec': 'null' } })
  expect(many.length).toBeLessThan(rows.length * 8)
})

test('the schema and the key-values are in the file as they were given', () => {
  const schema = { type: 'record', name: 'r', fields: [{ name: 'f', type: 'long', 'field-id': 7 }] } as const

  const file = readAvro(writeAvro(schema, [], { content: 'data', name: 'ü' }))

  expect(file.schema).toEqual(schema)
  expect(file.metadata).toMatchObject({ content: 'data', name: 'ü', 'avro.schema': JSON.stringify(schema) })
})

test('fields are found by their field id, whatever the writer calls them', () => {
  const schema = {
    type: 'record',
    name: 'r',
    fields: [{ name: 'added_data_files_count', type: 'int', 'field-id': 504 }],
  }

  const bytes = writeAvro(schema as AvroRecord, [{ added_data_files_count: 3 }])

  expect(readAvro(bytes, new Map([[504, 'added_files_count']])).records).toEqual([{ added_files_count: 3 }])
})

test('the same records give the same bytes, others another sync marker', () => {
  const write = (value: number) => writeAvro(record('int'), [{ f: value }])

  expect(write(1)).toEqual(write(1))
  expect(write(1).slice(-16)).not.toEqual(write(2).slice(-16))
})

test.each<[string, AvroSchema, AvroValue]>([
  ['a number that is no longer exact', 'long', 2 ** 53],
  ['a long of more than 64 bits', 'long', 2n ** 63n],
  ['a fraction', 'long', 0.5],
  ['an int of more than 32 bits', 'int', 2 ** 31],
  ['a bigint as an int', 'int', 1n],
  ['a required value that is missing', 'string', null],
  ['a text that is a number', 'string', 1],
  ['a value of no branch of a union', ['null', 'long'], 'text'],
  ['bytes of another length', { type: 'fixed', name: 'f4', size: 4 }, Uint8Array.of(1)],
])('%s is refused when it is written, with the name of its field', (_, type, value) => {
  expect(() => writeAvro(record(type), [{ f: value }])).toThrow(/^f: /)
})

test('a file that is cut or altered is refused', () => {
  const rows = Array.from({ length: 2_000 }, (_, index) => ({ f: `row ${index}` }))
  const bytes = writeAvro(record('string'), rows)
  const header = writeAvro(record('string'), []).length + 'deflate'.length - 'null'.length
  const altered = bytes.slice()
  altered[altered.length - 1]! ^= 1

  fc.assert(
    // A file that is cut directly after its header is a complete one without records.
    fc.property(
      fc.integer({ min: 0, max: bytes.length - 1 }).filter((length) => length !== header),
      (length) => {
        expect(() => readAvro(bytes.slice(0, length))).toThrow(AvroError)
      },
    ),
  )
  expect(readAvro(bytes.slice(0, header)).records).toEqual([])
  expect(() => readAvro(altered)).toThrow('sync marker')
  expect(() => readAvro(Uint8Array.of(1, 2, 3, 4, 5))).toThrow('not an Avro file')
})
