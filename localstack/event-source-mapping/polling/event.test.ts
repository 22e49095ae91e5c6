import { expect, test } from 'vitest'
import { type EventRecord, makeEventFrame, makeRecordEncoder } from './event.ts'

const encode = makeRecordEncoder('changes', 3)

const record = (overrides: Partial<EventRecord> = {}): EventRecord => ({
  offset: 15,
  timestamp: 1545084650987,
  timestampType: 'CREATE_TIME',
  key: Buffer.from('recordKey'),
  value: Buffer.from('Hello, this is a test.'),
  headers: [[Buffer.from('headerKey'), Buffer.from('headerValue')]],
  ...overrides,
})

test('a record is what AWS documents, in that order', () => {
  expect(encode(record())).toBe(
    JSON.stringify({
      topic: 'changes',
      partition: 3,
      offset: 15,
      timestamp: 1545084650987,
      timestampType: 'CREATE_TIME',
      key: 'cmVjb3JkS2V5',
      value: 'SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==',
      headers: [{ headerKey: [104, 101, 97, 100, 101, 114, 86, 97, 108, 117, 101] }],
    }),
  )
})

test('a tombstone has no value, a record without a key no key, an empty one an empty text', () => {
  const tombstone = JSON.parse(encode(record({ value: null })))
  const keyless = JSON.parse(encode(record({ key: null, value: Buffer.alloc(0) })))

  expect(tombstone).not.toHaveProperty('value')
  expect(tombstone.key).toBe('cmVjb3JkS2V5')
  expect(keyless).not.toHaveProperty('key')
  expect(keyless.value).toBe('')
})

test('bytes of headers are signed, equal names stay apart, missing values are empty', () => {
  const name = Buffer.from('h')
  const headers: EventRecord['headers'] = [
    [name, Buffer.from([0, 127, 128, 255])],
    [name, null],
  ]

  expect(JSON.parse(encode(record({ headers }))).headers).toEqual([{ h: [0, 127, -128, -1] }, { h: [] }])
})

test('the text is ASCII whatever a header is called, so its length is its length in bytes', () => {
  const json = encode(record({ headers: [[Buffer.from('größe "x" 🚀'), null]] }))

  expect(Buffer.byteLength(json)).toBe(json.length)
  expect(JSON.parse(json).headers).toEqual([{ 'größe "x" 🚀': [] }])
})

test('the frame of an event takes the records by topic partition', () => {
  const { head, tail } = makeEventFrame('arn:aws:kafka:eu-central-1:0:cluster/a/b', 'b-1:9098,b-2:9098')

  expect(JSON.parse(`${head}"changes-3":[${encode(record())}]${tail}`)).toEqual({
    eventSource: 'aws:kafka',
    eventSourceArn: 'arn:aws:kafka:eu-central-1:0:cluster/a/b',
    bootstrapServers: 'b-1:9098,b-2:9098',
    records: { 'changes-3': [expect.objectContaining({ offset: 15 })] },
  })
})
