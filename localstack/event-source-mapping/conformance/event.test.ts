import { expect, test } from 'vitest'
import { type EventRecord, makeEventFrame, makeRecordEncoder } from '../polling/event.ts'

// Source of each test: "Using Lambda with Amazon MSK" and "… with self-managed Apache Kafka", example events.

const arn = 'arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2priv-2pub/751d2973-a626-431c-9d4e-d7975eb44dd7-2'
const servers =
  'b-2.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092,b-1.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092'

const record: EventRecord = {
  offset: 15,
  timestamp: 1545084650987,
  timestampType: 'CREATE_TIME',
  key: Buffer.from('abcDEFghiJKLmnoPQRstuVWXyz1234=='),
  value: Buffer.from('Hello, this is a test.'),
  headers: [[Buffer.from('headerKey'), Buffer.from('headerValue')]],
}

const eventOf = (eventSourceArn: string | undefined, records: [partition: number, record: EventRecord][]) => {
  const { head, tail } = makeEventFrame(eventSourceArn, servers)
  const parts = records.map(
    ([partition, each]) => `"mytopic-${partition}":[${makeRecordEncoder('mytopic', partition)(each)}]`,
  )
  return JSON.parse(head + parts.join(',') + tail)
}

const expected = {
  topic: 'mytopic',
  offset: 15,
  timestamp: 1545084650987,
  timestampType: 'CREATE_TIME',
  key: record.key!.toString('base64'),
  value: 'SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==',
  headers: [{ headerKey: [104, 101, 97, 100, 101, 114, 86, 97, 108, 117, 101] }],
}

test("an MSK event is AWS's example: ARN, servers as one text, records by topic and partition", () => {
  expect(eventOf(arn, [[0, record]])).toEqual({
    eventSource: 'aws:kafka',
    eventSourceArn: arn,
    bootstrapServers: servers,
    records: { 'mytopic-0': [{ ...expected, partition: 0 }] },
  })
})

test("a self-managed Kafka event is AWS's example: no ARN", () => {
  expect(eventOf(undefined, [[0, record]])).toEqual({
    eventSource: 'SelfManagedKafka',
    bootstrapServers: servers,
    records: { 'mytopic-0': [{ ...expected, partition: 0 }] },
  })
})

test('one event may hold several topic partitions', () => {
  expect(
    Object.keys(
      eventOf(arn, [
        [0, record],
        [1, record],
      ]).records,
    ),
  ).toEqual(['mytopic-0', 'mytopic-1'])
})

test('a record without key has no key, a tombstone no value', () => {
  const { records } = eventOf(arn, [[0, { ...record, key: null, value: null }]])

  expect(Object.keys(records['mytopic-0'][0])).toEqual([
    'topic',
    'partition',
    'offset',
    'timestamp',
    'timestampType',
    'headers',
  ])
})

test('bytes of headers are signed', () => {
  const headers: EventRecord['headers'] = [[Buffer.from('h'), Buffer.of(0, 127, 128, 255)]]

  expect(eventOf(arn, [[0, { ...record, headers }]]).records['mytopic-0'][0].headers).toEqual([
    { h: [0, 127, -128, -1] },
  ])
})

test('a topic whose brokers set the time says so', () => {
  const { records } = eventOf(arn, [[0, { ...record, timestampType: 'LOG_APPEND_TIME' }]])

  expect(records['mytopic-0'][0].timestampType).toBe('LOG_APPEND_TIME')
})
