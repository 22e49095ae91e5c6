import { Admin, Consumer, ListOffsetTimestamps } from '@platformatic/kafka'
import type { BrokerAccess } from '#localstack/broker-access.ts'

/** A record as it is in the topic. */
export type TopicRecord = {
  topic: string
  topicPartition: number
  offset: number
  /** When the record was sent, in milliseconds since 1970. */
  timestampMs: number
  value: Buffer | null
}

/** The brokers as `host:port,…`, and the login for them. */
export type Brokers = { bootstrapServers: string; access: BrokerAccess }

/** The ends of topics: topic → topic partition → offset after the last record. */
export type TopicEnds = ReadonlyMap<string, readonly number[]>

/** Reads the present ends of the topics. */
export async function readTopicEnds(brokers: Brokers, topics: readonly string[]): Promise<TopicEnds> {
  const admin = new Admin(connectionTo(brokers))
  try {
    const { topics: known } = await admin.metadata({ topics: [...topics] })
    const asked = topics.map((name) => ({
      name,
      partitions: Array.from({ length: known.get(name)!.partitionsCount }, (_, partitionIndex) => ({
        partitionIndex,
        timestamp: ListOffsetTimestamps.LATEST,
      })),
    }))
    const ends = await admin.listOffsets({ topics: asked })
    return new Map(
      ends.map(({ name, partitions }) => [
        name,
        partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex).map(({ offset }) => Number(offset)),
      ]),
    )
  } finally {
    await admin.close()
  }
}

/** Every record of the topics from their beginning to `ends`, in no order between topic partitions. */
export async function* readTopics(brokers: Brokers, ends: TopicEnds): AsyncGenerator<TopicRecord> {
  const left = new Map(
    [...ends].flatMap(([topic, offsets]) => offsets.map((end, i) => [`${topic}-${i}`, end] as const)),
  )
  for (const [name, end] of left) if (end === 0) left.delete(name)
  if (left.size === 0) return
  const groupId = `tidemark-start-${process.pid}-${Date.now()}`
  const consumer = new Consumer({ ...connectionTo(brokers), groupId })
  try {
    const stream = await consumer.consume({
      ...{ topics: [...ends.keys()], mode: 'earliest', autocommit: false, maxWaitTime: 200 },
    })
    for await (const { topic, partition, offset, timestamp, value } of stream) {
      const end = ends.get(topic)![partition]!
      if (Number(offset) >= end) continue
      const place = { topic, topicPartition: partition, offset: Number(offset) }
      yield { ...place, timestampMs: Number(timestamp), value: value ?? null }
      if (Number(offset) === end - 1) left.delete(`${topic}-${partition}`)
      if (left.size === 0) break
    }
  } finally {
    await consumer.close(true)
  }
}

const connectionTo = ({ bootstrapServers, access }: Brokers) => ({
  clientId: 'tidemark-start',
  bootstrapBrokers: bootstrapServers.split(','),
  ...access,
})
