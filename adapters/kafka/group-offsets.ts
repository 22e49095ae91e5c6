import type { Admin } from 'kafkajs'
import type { TopicPartitionFacts } from '#core/recovery/capture-facts.ts'
import { type BrokerClientOptions, openBrokerClient, waitForBrokers } from './broker-client.ts'

/** Reads the offsets of topics and consumer groups, and sets those of groups. */
export type GroupOffsets = {
  /**
   * The first and the end offset of each topic partition, in order, by topic. Topics that do not exist are left out.
   */
  ranges(topics: readonly string[]): Promise<Map<string, TopicPartitionFacts[]>>
  /** The offset at which the group continues, for each topic partition; null if it has committed none. */
  committed(group: string, topic: string): Promise<(number | null)[]>
  /** Throws an Error if the group has members. */
  set(group: string, topic: string, offsets: readonly { topicPartition: number; offset: number }[]): Promise<void>
  close(): Promise<void>
}

/** Connects to the brokers, for which it waits. Throws an Error that names them if none answers in time. */
export async function openGroupOffsets(options: BrokerClientOptions): Promise<GroupOffsets> {
  const kafka = await openBrokerClient(options)
  const admin = kafka.admin()
  try {
    await waitForBrokers(options, () => admin.connect())
  } catch (error) {
    await admin.disconnect()
    throw error
  }
  const ask = <T>(work: () => Promise<T>): Promise<T> => waitForBrokers(options, work)
  return {
    ranges: async (topics) => {
      const existing = await ask(() => admin.listTopics())
      const ranges = new Map<string, TopicPartitionFacts[]>()
      for (const topic of topics) {
        if (existing.includes(topic)) ranges.set(topic, await ask(() => readRanges(admin, topic)))
      }
      return ranges
    },
    committed: async (groupId, topic) => {
      const [found] = await ask(() => admin.fetchOffsets({ groupId, topics: [topic] }))
      const committed: (number | null)[] = []
      for (const { partition, offset } of found?.partitions ?? []) {
        committed[partition] = Number(offset) < 0 ? null : Number(offset)
      }
      return committed
    },
    set: async (groupId, topic, offsets) => {
      await ask(() =>
        admin.setOffsets({
          groupId,
          topic,
          partitions: offsets.map(({ topicPartition, offset }) => ({
            partition: topicPartition,
            offset: String(offset),
          })),
        }),
      )
    },
    close: () => admin.disconnect(),
  }
}

async function readRanges(admin: Admin, topic: string): Promise<TopicPartitionFacts[]> {
  const ranges: TopicPartitionFacts[] = []
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
    ranges[partition] = { first: Number(low), end: Number(high) }
  }
  return ranges
}
