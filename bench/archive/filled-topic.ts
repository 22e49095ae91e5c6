import { Producer } from '@platformatic/kafka'
import { madeEvents } from '#test-support/archive-readers/made-topics.ts'
import type { TestBroker } from '#test-support/kafka/kafka-broker.ts'

/** The same number as the stack's topic has. */
export const TOPIC_PARTITIONS = 4

/**
 * The records have times of the past and the future. By default Kafka would remove the former and refuse the latter.
 */
const configuration = { 'retention.ms': '-1', 'message.timestamp.after.max.ms': String(2 ** 53 - 1) }

export const createTopic = (broker: TestBroker, topic: string): Promise<void> =>
  broker.createTopic(topic, TOPIC_PARTITIONS, configuration)

type Broker = Pick<TestBroker, 'bootstrapServers'>

/**
 * Sends records of about 632 bytes of JSON to the topic, compressed like those of the stack's connector. The records
 * are the same each time.
 */
export async function fillTopic(broker: Broker, topic: string, records: number): Promise<void> {
  const filled = await fillUnseen(broker, topic, records)
  await filled.show()
  await filled.close()
}

/**
 * The same, in a transaction that `show` commits. Until then a consumer of committed records finds the topic empty.
 * `close` without `show` aborts the transaction.
 */
export async function fillUnseen(
  { bootstrapServers }: Broker,
  topic: string,
  records: number,
): Promise<{ show(): Promise<void>; close(): Promise<void> }> {
  const producer = new Producer<Buffer, Buffer | undefined, Buffer, Buffer>({
    ...{ clientId: 'fill', bootstrapBrokers: [bootstrapServers], compression: 'lz4' },
    // The timeout is also that of the transaction, which the broker would otherwise abort while a large topic is
    // filled.
    ...{ idempotent: true, transactionalId: `fill-${topic}`, timeout: 600_000 },
  })
  const transaction = await producer.beginTransaction()
  for (const messages of batchesOf(topic, records)) await transaction.send({ messages, acks: -1 })
  return { show: () => transaction.commit(), close: () => producer.close() }
}

type Message = {
  topic: string
  partition: number
  key: Buffer
  value: Buffer | undefined
  timestamp: bigint
  headers: Map<Buffer, Buffer>
}

/** Batches of messages. Each batch has messages of one topic partition. */
export function* batchesOf(topic: string, records: number): Generator<Message[]> {
  // A tenth of the made records are deltas of another topic.
  let left = records
  for (const { event } of madeEvents(Math.ceil(records / 0.9))) {
    for (const stream of Object.values(event.records)) {
      if (stream[0]!.topic !== 'changes') continue
      const batch = stream.slice(0, left)
      left -= batch.length
      if (batch.length === 0) return
      yield batch.map(({ partition, key, value, timestamp, headers }) => ({
        ...{ topic, partition, key: Buffer.from(key, 'base64') },
        value: value == null ? undefined : Buffer.from(value, 'base64'),
        timestamp: BigInt(isTime(timestamp) ? timestamp : stream[0]!.timestamp),
        headers: new Map(
          headers.flatMap((header) =>
            Object.entries(header).map(([name, bytes]) => [Buffer.from(name), Buffer.from(Int8Array.from(bytes))]),
          ),
        ),
      }))
    }
  }
}

/** Some of the made records have a time that a broker does not accept, or that no column of the sink can hold. */
const isTime = (ms: number): boolean => ms > 0 && ms < Date.UTC(2100, 0)
