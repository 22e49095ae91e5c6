import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ScannedRecord } from '#adapters/iceberg/archive/archive-scan.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { findGap } from './contiguity.ts'
import { RecordSpool, type SpooledRecord } from './record-spool.ts'

let database: TestDatabase
let spool: RecordSpool

beforeEach(async () => {
  database = await createDatabase('empty')
  spool = new RecordSpool(database.pool)
  await spool.open()
})
afterEach(() => database.drop())

const record = (offset: number, changes: Partial<ScannedRecord> = {}): ScannedRecord => ({
  ...{ topic: 'changes', topicPartition: 0, offset, timestampMs: offset, sourceTsUs: offset * 1000, lsn: offset },
  ...{ tableName: 'public.pets', op: 'c', key: null, value: `value ${offset}`, headers: null, encoding: null },
  ...changes,
})
async function* portions(...all: ScannedRecord[]) {
  for (const one of all) yield [one]
}
const bound = (topicPartition: number, to: number) => ({ topic: 'changes', topicPartition, to })
async function readTo(...bounds: Parameters<RecordSpool['read']>[0]): Promise<SpooledRecord[]> {
  const all: SpooledRecord[] = []
  for await (const one of spool.read(bounds)) all.push(one)
  return all
}
const places = (records: readonly SpooledRecord[]) => records.map((r) => `${r.topicPartition}@${r.offset}`)

test('records come in the order they were sent in, those of a topic partition by their offsets', async () => {
  const other = (offset: number, timestampMs: number) => record(offset, { topicPartition: 1, timestampMs })
  await spool.add(
    portions(other(1, 4), record(2, { timestampMs: 1 }), record(1, { timestampMs: 3 }), other(0, 2), record(0)),
  )
  await spool.seal()

  const first = await readTo(bound(0, 2), bound(1, 1))
  const rest = await readTo(bound(0, 3), bound(1, 2))

  expect(places(first)).toEqual(['0@0', '1@0', '0@1'])
  expect(places(rest)).toEqual(['0@2', '1@1'])
})

test('in one millisecond the half that leaves a key comes before the one that takes the other', async () => {
  const half = { timestampMs: 5, sourceTsUs: 5, lsn: 5 }
  await spool.add(
    portions(
      record(0, { ...half, headers: '[["__debezium.oldkey","{}"]]' }),
      record(0, { ...half, topicPartition: 1, headers: '[["__debezium.newkey","{}"]]' }),
    ),
  )
  await spool.seal()

  const read = await readTo(bound(0, 1), bound(1, 1))

  expect(read.map(({ role }) => role)).toEqual(['key left', 'key taken'])
})

test('bytes that are no text, NUL and records without a value pass', async () => {
  const bytes = Buffer.from([0xff, 0]).toString('base64')
  await spool.add(
    portions(record(0, { value: 'a\0ü' }), record(1, { value: null }), record(2, { value: bytes, encoding: 'base64' })),
  )
  await spool.seal()

  const read = await readTo(bound(0, 3))

  expect(read.map(({ value }) => value)).toEqual(['a\0ü', undefined, '\ufffd\0'])
})

test('what was committed after the time of a bound says nothing', async () => {
  await spool.add(portions(record(0), record(1, { sourceTsUs: 9_000 }), record(2)))
  await spool.seal()

  const read = await readTo({ ...bound(0, 3), latestUs: 8_999 })

  expect(read.map(({ value }) => value)).toEqual(['value 0', undefined, 'value 2'])
})

test('an offset that is there twice is an error with its place', async () => {
  await spool.add(portions(record(0), record(1), record(1, { value: 'another' })))

  await expect(spool.seal()).rejects.toThrow('offset 1 of changes-0 is in the archive twice')
})

test.each([
  ['at the beginning', [1, 2], 3, 'record 0 of changes-0'],
  ['in the middle', [0, 3, 4, 7], 8, 'records 1 to 2 of changes-0'],
  ['at the end', [0, 1], 4, 'records 2 to 3 of changes-0'],
  ['of a topic partition without any', [], 2, 'records 0 to 1 of changes-0'],
])('a gap %s is found', async (_, offsets, to, gap) => {
  await spool.add(portions(...offsets.map((offset) => record(offset))))
  await spool.seal()

  expect(await findGap(spool, [bound(0, to)])).toBe(gap)
})

test('holes in a topic that is written by transactions are none', async () => {
  const event = (offset: number) => record(offset, { topic: 'user-events' })
  await spool.add(portions(event(1), event(5), record(0)))
  await spool.seal()

  expect(await findGap(spool, [{ topic: 'user-events', topicPartition: 0, to: 6 }, bound(0, 1)])).toBeUndefined()
})
