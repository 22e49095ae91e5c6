import { setTimeout as pause } from 'node:timers/promises'
import { Partitioners, type Producer, type Transaction } from 'kafkajs'
import { type BrokerClientOptions, openBrokerClient, protocolErrors, waitForBrokers } from './broker-client.ts'
import { ensureCompactedTopic } from './compacted-topic.ts'

/** A record to publish. A value of null is a tombstone: compaction removes the key. */
export type TopicRecord = { readonly key: string; readonly value: string | null }

/**
 * Publishes to one topic, in transactions of Kafka. Of all instances with one transactional id only the newest can
 * write: the brokers refuse what the others still send (decision 025).
 */
export type FencedProducer = {
  /**
   * Makes this instance the newest, unless it was when it last published. Only what is read after this may be published:
   * an instance that has published something newer in between makes this one be refused. `known` gives the number of
   * topic partitions that the topic had when it was first published to. The present number is returned when this has
   * connected. Throws an UnusableTopicError, a TopicDeletedError, or an Error that names the brokers that do not answer.
   */
  begin(known: () => Promise<number | undefined>): Promise<number | undefined>
  /**
   * Publishes all records, which have different keys, or none. `too large` means that the brokers refused a batch for
   * its size. After this, and after an error, `begin` has to be called again.
   */
  publish(records: readonly TopicRecord[]): Promise<'published' | 'too large'>
  close(): Promise<void>
}

export type FencedProducerOptions = {
  /** How to reach the brokers; asked at each connecting. */
  brokers: () => Promise<BrokerClientOptions>
  topic: string
  transactionalId: string
}

/** Bytes in one request: brokers refuse batches of more than 1,048,588 bytes unless they are configured otherwise. */
const REQUEST_BYTES = 900_000
/** Bytes that a record takes beside its key and value, at most. */
const RECORD_OVERHEAD = 40
/** A transaction that takes longer is aborted by the brokers, so that readers do not wait for a publisher that died. */
const TRANSACTION_MS = 30_000
/** How often a request is repeated while the transaction before is being completed, which takes a few ms. */
const COMPLETION_PAUSE_MS = 3

/** Makes the producer, which connects at the first `begin`. */
export function makeFencedProducer(options: FencedProducerOptions): FencedProducer {
  let open: { producer: Producer; transaction: Transaction } | undefined

  /** Brokers may have executed a failed request, and kafkajs then counts its records wrongly, so nothing is reused. */
  function discard(): void {
    // It is not awaited: disconnecting waits for answers that may never come.
    open?.producer.disconnect().catch(() => undefined)
    open = undefined
  }

  return {
    async begin(known) {
      if (open !== undefined) return undefined
      const { topicPartitions, ...opened } = await connect(options, await known())
      open = opened
      return topicPartitions
    },
    async publish(records) {
      if (open === undefined) throw new Error(`the producer of ${options.topic} publishes before it has begun`)
      try {
        const { producer, transaction } = open
        for (const messages of requestsOf(records)) await send(transaction, options.topic, messages)
        await transaction.commit()
        open.transaction = await producer.transaction()
        return 'published'
      } catch (error) {
        discard()
        if (isTooLarge(error)) return 'too large'
        throw error
      }
    },
    async close() {
      const { producer } = open ?? {}
      open = undefined
      await producer?.disconnect()
    },
  }
}

async function connect({ brokers, topic, transactionalId }: FencedProducerOptions, known: number | undefined) {
  const options = await brokers()
  const kafka = await openBrokerClient(options)
  const topicPartitions = await waitForBrokers(options, () => ensureCompactedTopic(kafka, topic, known))
  const producer = kafka.producer({
    transactionalId,
    transactionTimeout: TRANSACTION_MS,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    // Java's clients choose the same topic partition for a key, Flink among them.
    createPartitioner: Partitioners.DefaultPartitioner,
    // When a leader moves between two attempts, kafkajs would leave out its records and call them sent.
    retry: { retries: 0 },
  })
  try {
    await waitForBrokers(options, () => producer.connect())
    // This makes the instance the newest. It is repeated while the brokers abort what a former instance left open.
    const transaction = await waitForBrokers(options, () => producer.transaction())
    return { producer, transaction, topicPartitions }
  } catch (error) {
    producer.disconnect().catch(() => undefined)
    throw error
  }
}

/** The records in requests of a bounded size. A record that is larger is a request of its own. */
function requestsOf(records: readonly TopicRecord[]): TopicRecord[][] {
  const requests: TopicRecord[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const record of records) {
    const size = Buffer.byteLength(record.key) + Buffer.byteLength(record.value ?? '') + RECORD_OVERHEAD
    if (bytes + size > REQUEST_BYTES) {
      requests.push([])
      bytes = 0
    }
    requests.at(-1)!.push(record)
    bytes += size
  }
  return requests
}

/**
 * The brokers complete a transaction after they have answered that it is committed. Until then they refuse records of
 * the next one. A request that is repeated may repeat records of another broker, which are the same ones.
 */
async function send(transaction: Transaction, topic: string, messages: TopicRecord[]): Promise<void> {
  for (const deadline = performance.now() + TRANSACTION_MS; ; ) {
    try {
      await transaction.send({ topic, messages, acks: -1 })
      return
    } catch (error) {
      if (!protocolErrors(error).includes('CONCURRENT_TRANSACTIONS') || performance.now() > deadline) throw error
      await pause(COMPLETION_PAUSE_MS)
    }
  }
}

const isTooLarge = (error: unknown): boolean =>
  protocolErrors(error).some((type) => type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE')

/** Whether the brokers refuse what the producer asks, and will go on refusing until somebody changes something. */
export const isRefusedForGood = (error: unknown): boolean =>
  protocolErrors(error).some((type) => /AUTHORIZATION_FAILED$|^(INVALID_TOPIC_EXCEPTION|POLICY_VIOLATION)$/.test(type))
