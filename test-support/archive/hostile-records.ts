import type { MSKRecord } from 'aws-lambda'
import fc from 'fast-check'

/** The parts of a record that any producer can set, whatever its topic is for. */
export type MadeRecord = {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer])[]
  readonly timestampMs: number
}

/** A record that has once stopped the archive, or might do so. The name says what is unusual about it. */
export type HostileRecord = Partial<MadeRecord> & { readonly name: string }

const NOW_MS = Date.UTC(2026, 10, 27, 12)

/** The record with defaults for the missing parts, as Lambda delivers it. */
export function delivered(made: Partial<MadeRecord>, topic: string, offset: number): MSKRecord {
  const { key = Buffer.from('{"id":1}'), value = null, headers = [], timestampMs = NOW_MS } = made
  return {
    ...{ topic, partition: 0, offset, timestamp: timestampMs, timestampType: 'CREATE_TIME' },
    ...(key === null ? {} : { key: key.toString('base64') }),
    ...(value === null ? {} : { value: value.toString('base64') }),
    headers: headers.map(([name, bytes]) => Object.fromEntries([[name, [...new Int8Array(bytes)]]])),
  } as MSKRecord
}

const text = (value: string) => Buffer.from(value)

/** An envelope in Debezium's format, with members of its source replaced by JSON texts. */
export function envelope(source: Readonly<Record<string, string>> = {}, tail = ''): Buffer {
  const members = {
    ...{ version: '"3.7.0.Final"', connector: '"postgresql"', name: '"tidemark_e1"', ts_ms: '1', snapshot: '"false"' },
    ...{ db: '"source"', sequence: 'null', ts_us: '1795201857578545', ts_ns: '1795201857578545000' },
    ...{ schema: '"public"', table: '"orders"', txId: '7', lsn: '26', xmin: 'null' },
    ...source,
  }
  const written = Object.entries(members).map(([name, value]) => `"${name}":${value}`)
  return text(`{"before":null,"after":{"id":1},"source":{${written}},"transaction":null,"op":"c","ts_ms":1${tail}}`)
}

const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`

/** One record for each way in which a record was found to stop a consumer. */
export const hostileRecords: readonly HostileRecord[] = [
  {
    name: 'a key of eight bytes, most of them NUL, as LongSerializer writes it',
    key: Buffer.from([0, 0, 0, 0, 0, 0, 0, 7]),
  },
  {
    name: "a key and a value in Confluent's wire format",
    key: Buffer.from([0, 0, 0, 0, 1, 14]),
    value: Buffer.from([0, 0, 0, 0, 2, 2, 0xff]),
  },
  { name: 'no key and no value', key: null, value: null },
  { name: 'a key and a value of no bytes', key: Buffer.alloc(0), value: Buffer.alloc(0) },
  { name: 'a key of 1 MB', key: Buffer.alloc(1 << 20, 'k') },
  { name: 'a key of 1 MB of NUL', key: Buffer.alloc(1 << 20) },
  { name: 'bytes that are no UTF-8', key: Buffer.from([0xff]), value: Buffer.from([0xed, 0xa0, 0x80]) },
  { name: 'a byte order mark', key: Buffer.from([0xef, 0xbb, 0xbf]), value: Buffer.from([0xef, 0xbb, 0xbf, 0x7b]) },
  { name: 'a table name with NUL', value: envelope({ table: '"or\\u0000ders"' }) },
  { name: 'a schema name with half a surrogate pair', value: envelope({ schema: '"a\\ud800"' }) },
  { name: 'a table name of the last code point', value: envelope({ table: '"\u{10ffff}\u{10ffff}"' }) },
  ...[
    '-5',
    '1.5',
    '9.3e18',
    '1e999',
    '-1e999',
    '9223372036854775808',
    '9007199254740993',
    '"7"',
    'null',
    '[7]',
    '{}',
  ].map((lsn) => ({ name: `an lsn of ${lsn}`, value: envelope({ lsn }) })),
  { name: 'a txId of 1e400', value: envelope({ txId: '1e400' }) },
  { name: 'a time of the source that no timestamp has', value: envelope({ ts_us: '9223372036854775807' }) },
  { name: 'an epoch beyond every integer', value: envelope({ name: `"tidemark_e${'9'.repeat(400)}"` }) },
  { name: 'a source without members', value: text('{"before":null,"after":null,"source":{},"op":"c"}') },
  { name: 'a source that is no object', value: text('{"before":null,"after":null,"source":[1],"op":"c"}') },
  { name: 'a source that ends in the middle', value: text('{"before":null,"after":null,"source":{"lsn":1') },
  { name: 'members of one name', value: envelope({}, ',"after":{"id":2},"op":"d"') },
  {
    name: 'members called __proto__',
    value: text('{"__proto__":{"op":"c"},"op":"u","source":{"__proto__":{"lsn":7}}}'),
  },
  {
    name: 'an image nested 10,000 deep',
    value: text(`{"before":null,"after":${nested(10_000)},"source":{"lsn":7},"op":"c"}`),
  },
  { name: 'a source nested 10,000 deep', value: envelope({ db: nested(10_000) }) },
  { name: 'arrays nested 100,000 deep', value: text('['.repeat(100_000)) },
  { name: 'an operation that is no text', value: text('{"op":{"a":1}}') },
  { name: 'an operation with half a surrogate pair', value: text('{"op":"\\udfff"}') },
  {
    name: 'a source of a hundred thousand names',
    value: text(`{"before":null,"after":null,"source":{${'"name":"x",'.repeat(100_000)}"a":1},"op":"c"}`),
  },
  { name: 'quotes and backslashes without an end', value: text(`{"before":{"a":"${'\\"'.repeat(100_000)}`) },
  ...['null', '42', '[]', '{}', '"', 'NaN'].map((value) => ({ name: `a value of ${value}`, value: text(value) })),
  {
    name: 'headers of odd names',
    headers: ['__proto__', '', 'a', 'a', '\u0000'].map((name) => [name, text(name)] as const),
  },
  { name: 'a header of bytes that are no text', headers: [['raw', Buffer.from([0xff, 0, 0x80])]] },
  ...[
    -1,
    0,
    -1_000,
    -62_135_596_800_001,
    -(2 ** 53) + 1,
    2 ** 53 - 1,
    253_402_300_800_000,
    8.64e15,
    9_007_199_254_740_000,
  ].map((timestampMs) => ({ name: `a timestamp of ${timestampMs}`, timestampMs })),
  { name: 'a timestamp in microseconds', timestampMs: 1_795_201_857_603_000 },
]

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each)),
  fc.string({ unit: 'binary', maxLength: 40 }).map(text),
  fc.json().map(text),
)

const scalar = fc.oneof(
  fc.string({ unit: 'binary' }).map((each) => JSON.stringify(each)),
  fc.constantFrom(
    '1e999',
    '-0',
    '9007199254740993',
    '-9223372036854775809',
    '1.5',
    'null',
    '"\\u0000"',
    '"\\ud83d"',
    '[]',
  ),
  fc.integer().map(String),
)

const envelopes = fc
  .tuple(
    fc.dictionary(fc.constantFrom('name', 'ts_us', 'schema', 'table', 'txId', 'lsn', 'sequence', '__proto__'), scalar),
    fc.constantFrom('', ',"op":"u"', ',"after":null', ',"source":{"lsn":1}', ',"":{', '\u0000'),
    fc.integer({ min: 0, max: 400 }),
  )
  .map(([source, tail, cut]) => {
    const whole = envelope(source, tail)
    return cut < 200 ? whole.subarray(0, whole.length - cut) : whole
  })

/** Any record: random bytes and texts, and envelopes with unusual members, cut at any place, with any time. */
export const anyRecord: fc.Arbitrary<MadeRecord> = fc.record({
  key: fc.option(bytes),
  value: fc.option(fc.oneof(bytes, envelopes)),
  headers: fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), bytes), { maxLength: 2 }),
  timestampMs: fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.constantFrom(-1, 0, NOW_MS)),
})
