import type { S3Client } from '@aws-sdk/client-s3'
import type { SNSClient } from '@aws-sdk/client-sns'
import type { SQSClient } from '@aws-sdk/client-sqs'
import { Producer } from '@platformatic/kafka'
import type { BrokerAccess } from '#localstack/broker-access.ts'
import type { Deliver, DestinationMessage, FailureDestination } from '../definition/failure-destination.ts'

/** URLs of AWS's services on this machine. Only the service of a destination's kind is needed. */
export type AwsEndpoints = {
  sqs?: string
  sns?: string
  s3?: string
  /** The key with which requests are signed. Any key will do where signatures are not checked. */
  key?: { accessKeyId: string; secretAccessKey: string }
}

/** Destinations whose clients stay open until they are closed. */
export type Destinations = { deliver: Deliver; close(): Promise<void> }

type Queue = Extract<FailureDestination, { kind: 'sqs' }>
type Topic = Extract<FailureDestination, { kind: 'sns' }>
type Bucket = Extract<FailureDestination, { kind: 's3' }>

const kafkaRetries = 20

/** A key for servers that accept any. */
const ANY_KEY = { accessKeyId: 'test', secretAccessKey: 'test' }

/** Throws an Error when the endpoint of the destination's service is missing. */
export function checkEndpoint(destination: FailureDestination, endpoints: AwsEndpoints): void {
  if (destination.kind === 'kafka' || endpoints[destination.kind] !== undefined) return
  throw new Error(`the on-failure destination ${destination.arn} needs the endpoint of ${destination.kind}`)
}

/** Writes to topics of the cluster and, through AWS's SDK, to queues, topics and buckets at `endpoints`. */
export function makeDestinations(
  endpoints: AwsEndpoints,
  cluster: { bootstrapServers: string; access: BrokerAccess },
): Destinations {
  const credentials = { ...(endpoints.key ?? ANY_KEY) }
  let producer: Producer | undefined
  let clients: { sqs?: SQSClient; sns?: SNSClient; s3?: S3Client } = {}

  async function toQueue({ region, account, queue }: Queue, messages: DestinationMessage[]): Promise<void> {
    const { SQSClient, SendMessageCommand } = await import('@aws-sdk/client-sqs')
    const endpoint = endpoints.sqs!
    clients.sqs ??= new SQSClient({ endpoint, region, credentials, useQueueUrlAsEndpoint: false })
    const QueueUrl = `${endpoint.replace(/\/$/, '')}/${account}/${queue}`
    for (const { body } of messages) await clients.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: body }))
  }

  async function toTopic({ arn, region }: Topic, messages: DestinationMessage[]): Promise<void> {
    const { SNSClient, PublishCommand } = await import('@aws-sdk/client-sns')
    clients.sns ??= new SNSClient({ endpoint: endpoints.sns!, region, credentials })
    for (const { body } of messages) await clients.sns.send(new PublishCommand({ TopicArn: arn, Message: body }))
  }

  async function toBucket({ bucket }: Bucket, messages: DestinationMessage[]): Promise<void> {
    const { S3Client, PutObjectCommand } = await import('@aws-sdk/client-s3')
    clients.s3 ??= new S3Client({ endpoint: endpoints.s3!, region: 'us-east-1', credentials, forcePathStyle: true })
    for (const { body, objectKey } of messages) {
      const object = { Bucket: bucket, Key: objectKey!, Body: body, ContentType: 'application/json' }
      await clients.s3.send(new PutObjectCommand(object))
    }
  }

  /** The client hashes keys as Kafka's own client does. Records without a key go to the topic partitions in turn. */
  async function toKafka(topic: string, messages: DestinationMessage[]): Promise<void> {
    producer ??= new Producer({
      clientId: 'event-source-mapping-on-failure',
      bootstrapBrokers: cluster.bootstrapServers.split(','),
      idempotent: true,
      connectTimeout: 2_000,
      requestTimeout: 30_000,
      // Idempotent clients retry for ever by default. This many retries last longer than a broker's restart.
      retries: kafkaRetries,
      retryDelay: 250,
      ...cluster.access,
    })
    const records = messages.map(({ body, key }) => ({ topic, value: Buffer.from(body), ...(key && { key }) }))
    await producer.send({ messages: records, acks: -1 })
  }

  return {
    async deliver(destination, messages) {
      if (destination.kind === 'kafka') await toKafka(destination.topic, messages)
      else if (destination.kind === 'sqs') await toQueue(destination, messages)
      else if (destination.kind === 'sns') await toTopic(destination, messages)
      else await toBucket(destination, messages)
    },
    async close() {
      for (const client of Object.values(clients)) client.destroy()
      clients = {}
      await producer?.close()
      producer = undefined
    },
  }
}
