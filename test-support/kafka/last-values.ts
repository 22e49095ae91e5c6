import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'

const END = 'the end of what is read'

/**
 * The last value of each key of a topic, as compaction leaves it; keys whose last value is a tombstone are left out.
 * `committed` leaves out what was sent in transactions that did not commit. `brokers` is `host:port,…`. Each call adds
 * one record to each topic partition, by which the end is found.
 */
export async function lastValues(
  brokers: string,
  topic: string,
  isolation: 'committed' | 'uncommitted' = 'committed',
): Promise<Record<string, string>> {
  const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'last-values', logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  await admin.disconnect()
  const left = new Set(topics[0]!.partitions.map(({ partitionId }) => partitionId))
  const end = randomUUID()
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: [...left].map((partition) => ({ partition, key: END, value: end })) })
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: `last-values-${end}`, readUncommitted: isolation === 'uncommitted' })
  const last = new Map<string, string>()
  try {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      // An error after which kafkajs begins again by itself comes as a crash, too.
      consumer.on('consumer.crash', ({ payload }) => payload.restart || reject(payload.error))
      const eachMessage = async ({
        partition,
        message,
      }: {
        partition: number
        message: { key: Buffer | null; value: Buffer | null }
      }) => {
        const [key, value] = [String(message.key), message.value]
        if (key === END) {
          if (String(value) === end) left.delete(partition)
          if (left.size === 0) resolve()
        } else if (value === null) last.delete(key)
        else last.set(key, String(value))
      }
      consumer.run({ eachMessage, autoCommit: false }).catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return Object.fromEntries([...last].sort(([a], [b]) => (a < b ? -1 : 1)))
}
