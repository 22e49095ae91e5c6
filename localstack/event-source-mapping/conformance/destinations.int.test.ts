import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { Consumer, MessagesStreamModes } from '@platformatic/kafka'
import { expect, onTestFinished, test } from 'vitest'
import { startArchiveServers } from '#test-support/archive-servers.ts'
import { eventually } from '#test-support/eventually.ts'
import { collector, failure, records, useMappedTopic } from '#test-support/kafka/mapped-topic.ts'

// Source of each test: "Capturing discarded batches for Amazon MSK and self-managed Apache Kafka event sources" and
// "Using a Kafka topic as an on-failure destination".

const topic = useMappedTopic()

const discarding = (destination: string) => ({
  DestinationConfig: { OnFailure: { Destination: destination } },
  MaximumRetryAttempts: 0,
  ProvisionedPollerConfig: { MinimumPollers: 1 },
})

type Request = { path: string; headers: IncomingMessage['headers']; body: string }

/** A server to which AWS's SDK is directed. It sends the answers of `answer`, and keeps the requests. */
async function startAwsStandIn(contentType: string, answer: (body: string) => string) {
  const requests: Request[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    requests.push({ path: request.url!, headers: request.headers, body })
    response.writeHead(200, { 'content-type': contentType, etag: '"1"' }).end(answer(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

const metadataOf = (body: string) => {
  const { requestContext, KafkaBatchInfo } = JSON.parse(body)
  return [
    requestContext.condition,
    Object.values<{ firstRecordOffset: string }>(KafkaBatchInfo.recordsInfo)[0]?.firstRecordOffset,
  ]
}

test('a queue gets the metadata of a discarded batch by SendMessage, and the group goes on', async () => {
  // The client compares this hash with that of the message which it sent.
  const { url, requests } = await startAwsStandIn('application/x-amz-json-1.0', (body) => {
    const MD5OfMessageBody = createHash('md5').update(JSON.parse(body).MessageBody).digest('hex')
    return JSON.stringify({ MessageId: '1', MD5OfMessageBody })
  })
  await topic.create(1)
  await topic.produce(records(0, 3))

  const { mapping } = topic.start(async () => failure, discarding('arn:aws:sqs:eu-central-1:123456789012:failed'), {
    awsEndpoints: { sqs: url },
  })

  await topic.committed([3])
  await eventually(() =>
    expect(mapping.metrics().topicPartitions[0]).toMatchObject({ dropped: 0, deliveredToDestination: 3 }),
  )
  expect(requests).toHaveLength(1)
  expect(requests[0]!.headers['x-amz-target']).toBe('AmazonSQS.SendMessage')
  const { QueueUrl, MessageBody } = JSON.parse(requests[0]!.body)
  expect(QueueUrl).toBe(`${url}/123456789012/failed`)
  expect(metadataOf(MessageBody)).toEqual(['RetryAttemptsExhausted', '0'])
})

test('a topic of SNS gets the metadata by Publish', async () => {
  const answer = '<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>'
  const { url, requests } = await startAwsStandIn('text/xml', () => answer)
  await topic.create(1)
  await topic.produce(records(0, 3))

  topic.start(async () => failure, discarding('arn:aws:sns:eu-central-1:123456789012:failed'), {
    awsEndpoints: { sns: url },
  })

  await topic.committed([3])
  const published = new URLSearchParams(requests[0]!.body)
  expect(Object.fromEntries(published)).toMatchObject({
    Action: 'Publish',
    TopicArn: 'arn:aws:sns:eu-central-1:123456789012:failed',
  })
  expect(metadataOf(published.get('Message')!)).toEqual(['RetryAttemptsExhausted', '0'])
})

test('a bucket of an object store gets the metadata and the event', async () => {
  const store = await startArchiveServers()
  const s3 = new S3Client({
    ...{ endpoint: store.s3Endpoint, region: 'us-east-1', credentials: { ...store.key }, forcePathStyle: true },
  })
  onTestFinished(async () => {
    s3.destroy()
    await store.stop()
  })
  await topic.create(1)
  await topic.produce(records(0, 3))

  topic.start(async () => failure, discarding(`arn:aws:s3:::${store.bucket}`), {
    awsEndpoints: { s3: store.s3Endpoint, key: store.key },
    id: 'mapping',
  })

  await topic.committed([3])
  const prefix = `aws/lambda/mapping/${topic.name}-0/`
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: store.bucket, Prefix: prefix }))
  expect(Contents).toHaveLength(1)
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: store.bucket, Key: Contents[0]!.Key! }))
  const body = await Body!.transformToString()
  expect(metadataOf(body)).toEqual(['RetryAttemptsExhausted', '0'])
  expect(JSON.parse(JSON.parse(body).payload).records[`${topic.name}-0`]).toHaveLength(3)
})

test('a topic of the cluster gets each record with its key, and the poison alone when batches are split', async () => {
  await topic.create(1)
  const failed = `${topic.name}-failed`
  await topic.broker.createTopic(failed, 2)
  await topic.produce(records(0, 4))
  const { invoke, offsets } = collector()

  topic.start(
    async (event, payload) => {
      const isPoisoned = Object.values(event.records)
        .flat()
        .some(({ offset }) => offset === 2)
      return isPoisoned ? failure : invoke(event, payload)
    },
    { ...discarding(`kafka://${failed}`), BisectBatchOnFunctionError: true },
  )

  await topic.committed([4])
  expect(offsets(0)).toEqual([0, 1, 3])
  const [message, another] = await readAll(failed, 1)
  expect(message!.key.toString()).toBe('k')
  const { requestContext, KafkaBatchInfo, payload } = JSON.parse(message!.value.toString())
  expect([requestContext.condition, KafkaBatchInfo.recordInfo.offset]).toEqual(['RetriesExhausted', '2'])
  expect(payload.records[`${topic.name}-0`]).toMatchObject([{ offset: 2, key: 'aw==' }])
  expect(another).toBeUndefined()
})

// "Types of metrics for Lambda functions": events that the destination does not take count as dropped.
test('what the destination does not take is dropped, and says why', async () => {
  await topic.create(1)
  await topic.produce(records(0, 3))

  const { mapping, events } = topic.start(async () => failure, discarding('kafka://no-such-topic'))

  await topic.committed([3])
  await eventually(() =>
    expect(mapping.metrics().topicPartitions[0]).toMatchObject({ dropped: 3, deliveredToDestination: 0 }),
  )
  const outcome = expect.stringContaining('dropped: the destination did not take it')
  expect(events).toContainEqual(expect.objectContaining({ kind: 'discarded', records: 3, outcome }))
})

test('without destination a discarded batch is dropped', async () => {
  await topic.create(1)
  await topic.produce(records(0, 3))

  const { DestinationConfig: _, ...properties } = discarding('')
  const { mapping } = topic.start(async () => failure, properties)

  await topic.committed([3])
  await eventually(() =>
    expect(mapping.metrics().topicPartitions[0]).toMatchObject({ dropped: 3, deliveredToDestination: 0 }),
  )
})

test('a destination whose endpoint is not known is refused when the mapping is started', () => {
  const start = () => topic.start(async () => failure, discarding('arn:aws:sqs:eu-central-1:123456789012:failed'))

  expect(start).toThrow('arn:aws:sqs:eu-central-1:123456789012:failed needs the endpoint of sqs')
})

/** Reads the first `count` messages of a topic. */
async function readAll(name: string, count: number) {
  const consumer = new Consumer({
    clientId: 'test',
    groupId: `${name}-reader`,
    bootstrapBrokers: [topic.broker.bootstrapServers],
  })
  onTestFinished(() => consumer.close(true))
  const stream = await consumer.consume({ topics: [name], mode: MessagesStreamModes.EARLIEST, autocommit: false })
  const read: { key: Buffer; value: Buffer }[] = []
  for await (const message of stream) {
    read.push(message)
    if (read.length >= count) break
  }
  return read
}
