import { type Kafka, Partitioners } from 'kafkajs'
import { type BrokerClientOptions, openBrokerClient, waitForBrokers } from './broker-client.ts'

export type { KafkaAuthentication } from './broker-client.ts'

/** A record to publish; records of one key keep their order. */
export type KeyedRecord = { key: string; value: string }

/** Publishes records to one topic. */
export type RecordPublisher = {
  /** Resolves when every in-sync replica has the records; a retry inside never writes one twice. */
  publish(records: KeyedRecord[]): Promise<void>
  close(): Promise<void>
}

export type RecordPublisherOptions = BrokerClientOptions & {
  topic: string
  /** How long brokers that do not answer are waited for, at the beginning and at every publish. */
  waitMs: number
}

/**
 * Connects, waiting for the brokers, and creates the topic, by the cluster's defaults, where it is absent.
 * Throws an Error that names the brokers where none answered in time.
 */
export async function openRecordPublisher(options: RecordPublisherOptions): Promise<RecordPublisher> {
  const { topic } = options
  const kafka = await openBrokerClient(options)
  await waitForBrokers(options, () => createTopicIfAbsent(kafka, topic))
  const producer = kafka.producer({
    idempotent: true,
    // More than one would let a retried batch overtake the next one of the same key.
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: 1 },
  })
  await waitForBrokers(options, () => producer.connect())
  return {
    // Sent again by the same producer, records carry the same sequence numbers, by which the broker knows them.
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
    // Creating needs a right that a stack whose topics exist does not grant.
    const topics = await admin.listTopics()
    if (!topics.includes(topic)) await admin.createTopics({ topics: [{ topic }] })
  } finally {
    await admin.disconnect()
  }
}
