import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { envelope } from '#test-support/archive/hostile-records.ts'
import { type ArchivedRecord, archiveRow, compareArchiveRows, recordValue } from './archive-row.ts'

const envelopes = join(import.meta.dirname, '../fixtures/envelopes')
const place = { topic: 'changes', topicPartition: 2, offset: 7, timestampMs: 1_795_201_857_603, headers: null }
const record = (value: string | null, encoding: ArchivedRecord['encoding'] = null): ArchivedRecord => ({
  ...place,
  key: '{"id":1}',
  value,
  encoding,
})
const rowOf = (one: ArchivedRecord) => archiveRow(one, 1_795_201_860_000)
const captured = (name: string): string => JSON.stringify(JSON.parse(readFileSync(join(envelopes, name), 'utf8')).value)

test.each(readdirSync(envelopes))('the value of a captured record is put together as it came: %s', (name) => {
  const value = captured(name)

  expect(recordValue(rowOf(record(value)))).toBe(value)
})

test('a change is taken apart into its images, its source and the facts that queries prune by', () => {
  const row = rowOf(record(captured('default-identity-update.json')))

  expect(row).toMatchObject({
    ...{ tableName: 'public.envd', op: 'u', lsn: 1418267168, txId: 17939, epoch: 3 },
    ...{ sourceTsUs: 1795201857578545, before: null, value: null },
    after: '{"id":2,"name":"upd2","big":"small","req":"2026-11-20T19:10:57.562283Z"}',
  })
  expect(JSON.parse(row.source!)).toMatchObject({ table: 'envd', snapshot: 'false' })
})

test('messages, plain deltas, tombstones and bytes that are not text are kept whole', () => {
  expect(rowOf(record(captured('logical-message.json')))).toMatchObject({
    op: 'm',
    lsn: 1418285800,
    tableName: null,
  })
  expect(rowOf(record('{"id":1,"op":"insert"}'))).toMatchObject({ op: 'insert', value: '{"id":1,"op":"insert"}' })
  expect(rowOf(record(null))).toMatchObject({ value: null, op: null, envelopeTail: null })
  expect(rowOf(record('eyJvcCI6InUifQ==', 'base64'))).toMatchObject({ op: null, value: 'eyJvcCI6InUifQ==' })
})

test('texts and columns that look like parts of the envelope do not mislead the cut', () => {
  const row = { after: { after: null }, source: { a: '},"after":{' }, '"': '\\', b: '\\"},"source":{' }
  const envelope = { before: row, after: { before: row }, source: { schema: 's', table: '{"}' }, op: 'u', ts_ms: 1 }
  const value = JSON.stringify(envelope)

  const { before, after, source, tableName, op } = rowOf(record(value))

  expect([before, after, source].map((text) => JSON.parse(text!))).toEqual([row, { before: row }, envelope.source])
  expect([tableName, op]).toEqual(['s.{"}', 'u'])
})

test('an envelope whose source is not JSON is kept, without facts', () => {
  const value = '{"before":null,"after":null,"source":{"lsn":7,},"op":"u"}'

  const row = rowOf(record(value))

  expect(recordValue(row)).toBe(value)
  expect(row).toMatchObject({ tableName: null, lsn: null, op: 'u' })
})

test('any value comes back, whether it is an envelope, another JSON or no JSON', () => {
  const image = fc.option(fc.dictionary(fc.string(), fc.jsonValue()))
  const envelope = fc
    .record({ before: image, after: image, source: fc.dictionary(fc.string(), fc.jsonValue()), op: fc.string() })
    .map((value) => JSON.stringify(value))
  const truncated = fc.tuple(envelope, fc.nat()).map(([text, length]) => text.slice(0, length % (text.length + 1)))

  fc.assert(
    fc.property(fc.oneof(envelope, truncated, fc.json(), fc.string()), (value) => {
      expect(recordValue(rowOf(record(value)))).toBe(value)
    }),
  )
})

test.each([
  ['lsn', ['-9223372036854775809', '1.5', '9.3e18', '1e999', '9007199254740993', '"7"', '[7]']],
  ['txId', ['1e400', '{}', 'true']],
  ['ts_us', ['9223372036854775807', '"now"']],
  ['name', ['"tidemark"', `"tidemark_e${'9'.repeat(40)}"`, '7']],
  ['table', ['"half a pair \\ud800"', '""', '7', 'null']],
])('a %s that its column cannot hold is null there, and the value comes back', (name, texts) => {
  const columns = { lsn: 'lsn', txId: 'txId', ts_us: 'sourceTsUs', name: 'epoch', table: 'tableName' } as const

  for (const text of texts) {
    const value = envelope({ [name]: text }).toString()
    const row = rowOf(record(value))
    expect(row[columns[name as keyof typeof columns]]).toBeNull()
    expect(row.op).toBe('c')
    expect(recordValue(row)).toBe(value)
  }
})

test('of two members of one name no column has the first, which readers of JSON do not see', () => {
  const twice = rowOf(record(envelope({}, ',"after":{"id":2},"op":"d"').toString()))
  const inSource = rowOf(record(envelope({ xmin: 'null,"table":"other"' }).toString()))

  expect(twice).toMatchObject({ before: null, after: null, source: null, op: 'd' })
  expect(inSource.tableName).toBe('public.other')
})

test('rows of a table and key lie together, in the order of their lsns and offsets', () => {
  const base = rowOf(record(captured('default-identity-update.json')))
  const rows = [
    { ...base, tableName: 'b' },
    { ...base, key: '2', offset: 3 },
    { ...base, key: '2', lsn: 1, offset: 4 },
    { ...base, key: '2', offset: 2 },
    { ...base, tableName: null },
  ]

  const sorted = rows.toSorted(compareArchiveRows)

  expect(sorted.map((row) => rows.indexOf(row))).toEqual([4, 0, 2, 3, 1])
})

test('the facts of a change are those that its source has as JSON, however names and numbers are', () => {
  const name = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('a"b', '\\', '","table":"x', ',"lsn":1,'))
  const number = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constant(null), fc.constant(2 ** 53))
  const source = fc.record({ name, ts_us: number, db: name, schema: name, table: name, txId: number, lsn: number })
  fc.assert(
    fc.property(source, (made) => {
      const sent = { version: '3.7.0.Final', ...made, name: `${made.name}_e3`, xmin: null }
      const row = rowOf(record(JSON.stringify({ before: null, after: {}, source: sent, op: 'c' })))

      const whole = (value: number | null) => (Number.isSafeInteger(value) ? value : null)
      expect(row).toMatchObject({
        tableName: made.table === '' ? null : `${made.schema}.${made.table}`,
        lsn: whole(made.lsn),
        txId: whole(made.txId),
        sourceTsUs: whole(made.ts_us),
        epoch: 3,
      })
    }),
  )
})
