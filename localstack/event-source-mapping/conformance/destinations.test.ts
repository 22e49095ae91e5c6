import { expect, test } from 'vitest'
import { makeChunk } from '#test-support/kafka/record-chunk.ts'
import { readDestination } from '../definition/failure-destination.ts'
import { type Discarded, type DiscardedFrom, destinationMessages } from '../dispatching/discarded-batch.ts'
import { formBatch } from '../polling/batch.ts'
import { makeEventFrame, makeRecordEncoder } from '../polling/event.ts'
import { RecordQueue } from '../polling/record-queue.ts'

// Source of each test: "Capturing discarded batches for Amazon MSK and self-managed Apache Kafka event sources" and
// "Using a Kafka topic as an on-failure destination".

const eventSourceArn = 'arn:aws:kafka:us-east-1:123456789012:cluster/my-cluster/abc123'
const bootstrapServers = 'b-1.mycluster.abc123.kafka.us-east-1.amazonaws.com:9098'
const frame = makeEventFrame(eventSourceArn, bootstrapServers)
const from: DiscardedFrom = {
  mappingId: 'mapping',
  functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:myfunction',
  eventSourceArn,
  bootstrapServers,
  frame,
}
const now = Date.UTC(2019, 10, 14, 0, 38, 6, 21)
const requestId = '316aa6d0-8154-4c6a-9af7-85d5f4a6bc81'

function source(partition: number, offsets: number[], timestamp: number, key: string | null) {
  const encode = makeRecordEncoder('Topic', partition)
  const queue = new RecordQueue()
  const timestamps = offsets.map((_, index) => timestamp + index)
  const texts = offsets.map((offset, index) =>
    encode({
      offset,
      timestamp: timestamps[index]!,
      timestampType: 'CREATE_TIME',
      key: key === null ? null : Buffer.from(key),
      value: Buffer.from('test-value'),
      headers: [],
    }),
  )
  queue.push(makeChunk(texts, offsets, timestamps, 0))
  return { name: `Topic-${partition}`, queue }
}

const first = Date.UTC(2019, 10, 14, 0, 38, 4, 835)
const batch = formBatch(
  [source(0, [100, 101], first, 'test-key'), source(1, [7], first, null)],
  { records: 10, bytes: 100_000 },
  frame,
)!
const discarded: Discarded = {
  condition: 'RetryAttemptsExhausted',
  batch,
  invocations: 4,
  invoked: { requestId, statusCode: 200, functionError: 'Unhandled' },
}
const messages = (destination: string, what: Discarded = discarded, where: DiscardedFrom = from) =>
  destinationMessages(readDestination({ OnFailure: { Destination: destination } }, 'Topic')!, what, where, now)

const metadata = {
  requestContext: {
    requestId,
    functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:myfunction',
    condition: 'RetryAttemptsExhausted',
    approximateInvokeCount: 4,
  },
  responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
  version: '1.0',
  timestamp: '2019-11-14T00:38:06.021Z',
  KafkaBatchInfo: {
    batchSize: 3,
    eventSourceArn,
    bootstrapServers,
    payloadSize: batch.payload.length,
    recordsInfo: {
      'Topic-0': {
        firstRecordOffset: '100',
        lastRecordOffset: '101',
        firstRecordTimestamp: '2019-11-14T00:38:04.835Z',
        lastRecordTimestamp: '2019-11-14T00:38:04.836Z',
      },
      'Topic-1': {
        firstRecordOffset: '7',
        lastRecordOffset: '7',
        firstRecordTimestamp: '2019-11-14T00:38:04.835Z',
        lastRecordTimestamp: '2019-11-14T00:38:04.835Z',
      },
    },
  },
}

test.each(['arn:aws:sqs:us-east-1:123456789012:failed', 'arn:aws:sns:us-east-1:123456789012:failed'])(
  '%s gets the metadata only',
  (destination) => {
    expect(messages(destination).map(({ body }) => JSON.parse(body))).toEqual([metadata])
  },
)

test('S3 gets the metadata and the whole event as escaped text', () => {
  const [message] = messages('arn:aws:s3:::failed')

  expect(JSON.parse(message!.body)).toEqual({ ...metadata, payload: batch.payload.toString() })
  expect(message!.objectKey).toMatch(
    /^aws\/lambda\/mapping\/Topic-0\/2019\/11\/14\/2019-11-14T00\.38\.06-[\da-f-]{36}$/,
  )
})

test("a Kafka topic gets a message for each record, with its key and its event: AWS's example", () => {
  const sent = messages('kafka://failed-records-topic')

  expect(sent.map(({ key }) => key?.toString())).toEqual(['test-key', 'test-key', undefined])
  const record = {
    headers: [],
    key: 'dGVzdC1rZXk=',
    offset: 100,
    partition: 0,
    timestamp: first,
    timestampType: 'CREATE_TIME',
    topic: 'Topic',
    value: 'dGVzdC12YWx1ZQ==',
  }
  const payload = { bootstrapServers, eventSource: 'aws:kafka', eventSourceArn, records: { 'Topic-0': [record] } }
  expect(JSON.parse(sent[0]!.body)).toEqual({
    ...metadata,
    requestContext: {
      ...metadata.requestContext,
      functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:myfunction:$LATEST',
      condition: 'RetriesExhausted',
    },
    KafkaBatchInfo: {
      batchSize: 1,
      eventSourceArn,
      bootstrapServers,
      payloadSize: JSON.stringify(payload).length,
      recordInfo: { offset: '100', timestamp: '2019-11-14T00:38:04.835Z' },
    },
    payload,
  })
})

test('a record too large for the payload has its condition and no response context', () => {
  const [message] = messages('arn:aws:sqs:us-east-1:123456789012:failed', {
    condition: 'MaximumPayloadSizeExceeded',
    batch,
    invocations: 0,
  })

  expect(JSON.parse(message!.body)).toMatchObject({
    requestContext: { condition: 'MaximumPayloadSizeExceeded' },
    responseContext: null,
  })
})

test('self-managed Kafka has no ARN in it', () => {
  const { eventSourceArn: _, ...selfManaged } = from
  const [message] = messages('arn:aws:s3:::failed', discarded, selfManaged)

  expect(JSON.parse(message!.body).KafkaBatchInfo).not.toHaveProperty('eventSourceArn')
})
