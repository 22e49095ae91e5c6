import { type Kafka, Partitioners } from 'kafkajs'
import { type BrokerClientOptions, openBrokerClient, waitForBrokers } from './broker-client.ts'

export type { KafkaAuthentication } from './broker-client.ts'

/** A record to publish. Records of one key keep their order. */
export type KeyedRecord = { key: string; value: string }

/** Publishes records to one topic. */
export type RecordPublisher = {
  /** Resolves when every in-sync replica has the records. Retries inside never write a record twice. */
  publish(records: KeyedRecord[]): Promise<void>
  close(): Promise<void>
}

export type RecordPublisherOptions = BrokerClientOptions & {
  topic: string
  /** How long to wait for brokers that do not answer, when connecting and at every publish. */
  waitMs: number
}

/**
 * Connects to the brokers, for which it waits, and creates the topic with the defaults of the cluster if it does not
 * exist. Throws an Error that names the brokers if none answers in time.
 */
export async function openRecordPublisher(options: RecordPublisherOptions): Promise<RecordPublisher> {
  const { topic } = options
  const kafka = await openBrokerClient(options)
  await waitForBrokers(options, () => createTopicIfAbsent(kafka, topic))
  const producer = kafka.producer({
    idempotent: true,
    // With more than one request in flight, a retried batch could be written after the next one of the same key.
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: 1 },
  })
  await waitForBrokers(options, () => producer.connect())
  return {
    // A retry by the same producer sends the same sequence numbers, so that the broker drops records that it already
    // has.
    publish: async (messages) => {
      await waitForBrokers(options, () => producer.send({ topic, messages, acks: -1 }))
    },
    close: () => producer.disconnect(),
  }
}

async function createTopicIfAbsent(kafka: Kafka, topic: string): Promise<void> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    // The topic is created only if it is absent, because creating needs a right that a stack with existing topics does
    // not grant.
    const topics = await admin.listTopics()
    if (!topics.includes(topic)) await admin.createTopics({ topics: [{ topic }] })
  } finally {
    await admin.disconnect()
  }
}
