import { Consumer, type ConsumerOptions, FetchIsolationLevels, findErrorBy } from '@platformatic/kafka'
import type { FetchedPartition } from '../committed-batches.ts'

type AnyConsumerOptions = ConsumerOptions<Buffer, Buffer, Buffer, Buffer>

/** The brokers as `host:port`, and the login for them; empty where they need none. */
export type BrokerConnection = {
  readonly brokers: readonly string[]
  readonly access: Pick<AnyConsumerOptions, 'sasl' | 'tls'>
}

/** The brokers do not answer, or do not let this client in. */
export class BrokersUnreachableError extends Error {
  override readonly name = 'BrokersUnreachableError'
}

/** The broker no longer has an offset that was asked for: records have expired, or the topic was created again. */
export class OffsetGoneError extends Error {
  override readonly name = 'OffsetGoneError'
}

/** How much a fetch brings at most. A batch that is larger comes alone. */
export type FetchSize = { readonly bytes: number; readonly perTopicPartition: number; readonly waitMs: number }

/** Reads of one topic over one connection. Nothing is stored in the brokers, and no consumer group is joined. */
export type TopicSession = {
  readonly topicPartitions: number
  /**
   * For each topic partition, the offset of the first record that is not older than a time in milliseconds; -1 if there
   * is none. -2 stands for the begin, and -1 for the end of what is committed.
   */
  offsets(timestamp: bigint): Promise<bigint[]>
  /** Fetches from the position of each topic partition on. Throws an OffsetGoneError. */
  fetch(positions: ReadonlyMap<number, bigint>, size: FetchSize): Promise<FetchedPartition[]>
}

export const clientOptions = {
  clientId: 'tidemark-console',
  connectTimeout: 3_000,
  requestTimeout: 10_000,
  retries: 1,
  retryDelay: 200,
} as const

/**
 * Opens a session for the work, and closes it afterwards. Undefined if there is no such topic. Throws a
 * BrokersUnreachableError.
 */
export async function withTopic<T>(
  connection: BrokerConnection,
  topic: string,
  work: (session: TopicSession) => Promise<T>,
): Promise<T | undefined> {
  // The client has fetches only in its consumer, which needs the name of a group. Without joining, no group is made.
  const consumer = new Consumer({
    ...clientOptions,
    bootstrapBrokers: [...connection.brokers],
    groupId: 'tidemark-console',
    ...connection.access,
  })
  // Failures of connections also come as errors of the calls. Without a listener they would end the process.
  consumer.on('error', () => undefined)
  try {
    // Older brokers are asked by the name of the topic, and only names of tracked topics are known.
    consumer.topics.track(topic)
    return await work(await openSession(consumer, topic))
  } catch (error) {
    if (isUnknownTopic(error)) return undefined
    throw asUnreachable(error, connection)
  } finally {
    await consumer.close(true).catch(() => undefined)
  }
}

async function openSession(consumer: Consumer, topic: string): Promise<TopicSession> {
  const { id, partitions } = (await consumer.metadata({ topics: [topic] })).topics.get(topic)!
  return {
    topicPartitions: partitions.length,
    offsets: async (timestamp) => (await consumer.listOffsets({ topics: [topic], timestamp })).get(topic)!,
    fetch: async (positions, { bytes, perTopicPartition, waitMs }) => {
      const byLeader = Map.groupBy([...positions], ([partition]) => partitions[partition]!.leader)
      const fetches = [...byLeader].map(([node, places]) =>
        consumer.fetch({
          node,
          topics: [{ topicId: id, partitions: places.map((place) => requestOf(place, perTopicPartition)) }],
          maxWaitTime: waitMs,
          minBytes: 1,
          maxBytes: bytes,
          isolationLevel: FetchIsolationLevels.READ_COMMITTED,
        }),
      )
      const answers = await Promise.all(fetches).catch((cause) => {
        if (findErrorBy(cause, 'apiId', 'OFFSET_OUT_OF_RANGE') === null) throw cause
        throw new OffsetGoneError(`topic ${topic} no longer has an offset that it had a moment ago`, { cause })
      })
      return answers.flatMap(({ responses }) => responses.flatMap((each) => each.partitions))
    },
  }
}

const requestOf = ([partition, fetchOffset]: [number, bigint], partitionMaxBytes: number) => ({
  partition,
  fetchOffset,
  currentLeaderEpoch: -1,
  lastFetchedEpoch: -1,
  partitionMaxBytes,
})

const UNKNOWN = ['UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID', 'INVALID_TOPIC_EXCEPTION']

/**
 * Whether the brokers say that there is no such topic, or that its name cannot be one. When the client reads metadata, it
 * puts an error of its own in place of the brokers', with nothing but a message.
 */
export const isUnknownTopic = (error: unknown): boolean =>
  error instanceof Error &&
  (/^Unknown topic /.test(error.message) || UNKNOWN.some((name) => findErrorBy(error, 'apiId', name) !== null))

const UNREACHABLE = ['PLT_KFK_NETWORK', 'PLT_KFK_TIMEOUT', 'PLT_KFK_AUTHENTICATION']

/** A BrokersUnreachableError in place of the client's own errors of that kind; other errors stay. */
export function asUnreachable(error: unknown, { brokers }: BrokerConnection): unknown {
  const own =
    error instanceof Error
      ? UNREACHABLE.map((code) => findErrorBy(error, 'code', code)).find((found) => found !== null)
      : undefined
  if (own === undefined) return error
  return new BrokersUnreachableError(`the brokers at ${brokers.join(', ')} do not answer: ${(own as Error).message}`, {
    cause: error,
  })
}
