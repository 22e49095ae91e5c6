import { type Admin, ConfigResourceTypes, type Kafka } from 'kafkajs'

/** A topic cannot be published to as it is. The message says why, and what to do. */
export class UnusableTopicError extends Error {
  override readonly name = 'UnusableTopicError'
}

/** A topic to which values were published does not exist any more, so that all of them have to be published again. */
export class TopicDeletedError extends Error {
  override readonly name = 'TopicDeletedError'
}

/**
 * Creates the topic compacted if it does not exist, with the cluster's defaults for topic partitions and replicas, and
 * returns its number of topic partitions. An existing topic is never changed. `known` is the number that the topic had
 * when it was first published to: if it is absent then, a TopicDeletedError is thrown. Throws an UnusableTopicError when
 * a reader of the topic would not find the last value of each key: records would expire, or keys have moved to other
 * topic partitions.
 */
export async function ensureCompactedTopic(kafka: Kafka, topic: string, known: number | undefined): Promise<number> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    // Metadata of a topic that does not exist could make the broker create it, with other settings.
    const exists = (await admin.listTopics()).includes(topic)
    if (!exists && known !== undefined) {
      throw new TopicDeletedError(`topic ${topic} was deleted after values had been published to it`)
    }
    if (!exists) await createTopic(admin, topic)
    const existing = await topicPartitionsOf(admin, topic)
    if (known !== undefined && existing !== known) {
      throw new UnusableTopicError(
        `topic ${topic} has ${existing} topic partitions and had ${known}, so that keys would move between them: delete the topic, and everything is published to a new one`,
      )
    }
    if (known === undefined) await refuseExpiring(admin, topic)
    return existing
  } finally {
    await admin.disconnect()
  }
}

async function topicPartitionsOf(admin: Admin, topic: string): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  return topics[0]!.partitions.length
}

async function createTopic(admin: Admin, topic: string): Promise<void> {
  await admin.createTopics({ topics: [{ topic, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }] })
}

async function refuseExpiring(admin: Admin, topic: string): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['cleanup.policy'] }],
  })
  const policy = resources[0]?.configEntries.find(({ configName }) => configName === 'cleanup.policy')?.configValue
  if (policy === 'compact') return
  throw new UnusableTopicError(
    `topic ${topic} exists with cleanup.policy=${policy}, so that the last value of a key could expire: set it to compact, or publish to another topic`,
  )
}
