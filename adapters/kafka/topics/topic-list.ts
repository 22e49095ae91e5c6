import { Admin, ListOffsetTimestamps } from '@platformatic/kafka'
import type { ListedTopic } from '#core/console/topics.ts'
import { asUnreachable, type BrokerConnection, clientOptions, isUnknownTopic } from './topic-session.ts'

/** The topics by name, without those in which brokers keep their own state. Throws a BrokersUnreachableError. */
export async function listTopics(connection: BrokerConnection): Promise<readonly ListedTopic[]> {
  const admin = new Admin({ ...clientOptions, bootstrapBrokers: [...connection.brokers], ...connection.access })
  admin.on('error', () => undefined)
  try {
    return await readTopics(admin).catch((error) => {
      // A topic that is deleted between two of the requests fails the second one.
      if (isUnknownTopic(error)) return readTopics(admin)
      throw error
    })
  } catch (error) {
    throw asUnreachable(error, connection)
  } finally {
    await admin.close().catch(() => undefined)
  }
}

async function readTopics(admin: Admin): Promise<readonly ListedTopic[]> {
  const names = (await admin.listTopics()).sort()
  if (names.length === 0) return []
  const { topics } = await admin.metadata({ topics: names, forceUpdate: true })
  const counts = names.map((name) => ({ name, count: topics.get(name)!.partitionsCount }))
  const begins = await readOffsets(admin, counts, ListOffsetTimestamps.EARLIEST)
  const ends = await readOffsets(admin, counts, ListOffsetTimestamps.LATEST)
  return counts.map(({ name, count }) => ({
    name,
    topicPartitions: Array.from({ length: count }, (_, topicPartition) => ({
      topicPartition,
      begin: String(begins.get(name)?.get(topicPartition) ?? 0n),
      end: String(ends.get(name)?.get(topicPartition) ?? 0n),
    })),
  }))
}

async function readOffsets(
  admin: Admin,
  counts: readonly { name: string; count: number }[],
  timestamp: bigint,
): Promise<ReadonlyMap<string, ReadonlyMap<number, bigint>>> {
  const asked = counts.map(({ name, count }) => ({
    name,
    partitions: Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp })),
  }))
  const answers = await admin.listOffsets({ topics: asked })
  return new Map(
    answers.map(({ name, partitions }) => [
      name,
      new Map(partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset])),
    ]),
  )
}
