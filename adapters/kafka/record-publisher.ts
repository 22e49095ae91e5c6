import { generateAuthToken } from 'aws-msk-iam-sasl-signer-js'
import { Kafka, type KafkaConfig, type KafkaJSError, logLevel, Partitioners } from 'kafkajs'
import { stopIdleTimers } from './idle-request-queue.ts'

stopIdleTimers()

/** How clients prove who they are: AWS signatures or name and password over TLS, or not at all, on loopback only. */
export type KafkaAuthentication = 'iam' | 'scram' | 'none'

/** A record to publish; records of one key keep their order. */
export type KeyedRecord = { key: string; value: string }

/** Publishes records to one topic. */
export type RecordPublisher = {
  /** Resolves when every in-sync replica has the records; a retry inside never writes one twice. */
  publish(records: KeyedRecord[]): Promise<void>
  close(): Promise<void>
}

export type RecordPublisherOptions = {
  brokers: string[]
  authentication: KafkaAuthentication
  /** Gives the name and password of `scram`. */
  readLogin?: () => Promise<{ username: string; password: string }>
  /** AWS region the brokers are in; signs for it. */
  region: string
  clientId: string
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
  const kafka = new Kafka(await clientConfiguration(options))
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
    publish: (messages) => waitForBrokers(options, () => producer.send({ topic, messages, acks: -1 })),
    close: () => producer.disconnect(),
  }
}

async function clientConfiguration(options: RecordPublisherOptions): Promise<KafkaConfig> {
  const { brokers, authentication, readLogin, region, clientId } = options
  // kafkajs gives up on a restarting broker early in some places and never in others: waitForBrokers decides instead.
  const retry = { retries: 0 }
  const plain = { brokers, clientId, retry, logLevel: logLevel.NOTHING, connectionTimeout: 3_000 }
  if (authentication === 'none') return plain
  if (authentication === 'scram') {
    if (readLogin === undefined) throw new Error('brokers that are logged in to by password need readLogin')
    return { ...plain, ssl: true, sasl: { mechanism: 'scram-sha-512', ...(await readLogin()) } }
  }
  const oauthBearerProvider = async () => ({ value: (await generateAuthToken({ region })).token })
  return { ...plain, ssl: true, sasl: { mechanism: 'oauthbearer', oauthBearerProvider } }
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

async function waitForBrokers(
  { brokers, waitMs }: RecordPublisherOptions,
  work: () => Promise<unknown>,
): Promise<void> {
  const deadline = Date.now() + waitMs
  for (;;) {
    const failure = await work().then(
      () => undefined,
      (error: unknown) => error as KafkaJSError,
    )
    if (failure === undefined) return
    if (!isPassing(failure)) throw failure
    if (Date.now() > deadline) {
      const seconds = Math.round(waitMs / 1000)
      throw new Error(`no broker of ${brokers.join(', ')} answered within ${seconds} s`, { cause: failure })
    }
    await new Promise((resume) => setTimeout(resume, 200))
  }
}

/** Whether a later attempt may succeed; kafkajs wraps what it does not itself try again in an error that says it may not. */
function isPassing(error: KafkaJSError): boolean {
  const { cause } = error
  return error.retriable || (cause instanceof Error && isPassing(cause as KafkaJSError))
}
