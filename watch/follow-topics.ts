import { setTimeout as pause } from 'node:timers/promises'
import { Admin, Consumer, ListOffsetTimestamps, MessagesStreamModes } from '@platformatic/kafka'
import { requireNames } from '#terminal/table-names.ts'
import type { Brokers } from './topic-records.ts'
import { userEventsTopic, type WatchedRecord } from './watched-change.ts'

/** The facts of a topic before it is followed. */
export type TopicState = {
  /** It changes if the topic is deleted and created again. */
  readonly id: string
  /** The offset of the first existing record, for each topic partition. */
  readonly first: readonly number[]
  /** The offset after the last record, for each topic partition. */
  readonly end: readonly number[]
}

/** The next offset to read, for each topic and topic partition. */
export type Positions = ReadonlyMap<string, number[]>

/** The existing topics, without the brokers' own. Throws an Error if no broker answers. */
export const listTopics = (brokers: Brokers): Promise<string[]> =>
  withAdmin(brokers, async (admin) => (await admin.listTopics()).filter((topic) => !topic.startsWith('_')))

/** Reads the facts of existing topics. Throws an Error if no broker answers. */
export async function readTopicStates(brokers: Brokers, wanted: readonly string[]): Promise<Map<string, TopicState>> {
  if (wanted.length === 0) return new Map()
  return await withAdmin(brokers, async (admin) => {
    const { topics: known } = await admin.metadata({ topics: [...wanted] })
    const offsets = async (timestamp: bigint) => {
      const asked = wanted.map((name) => {
        const count = known.get(name)!.partitionsCount
        return { name, partitions: Array.from({ length: count }, (_, i) => ({ partitionIndex: i, timestamp })) }
      })
      const found = await admin.listOffsets({ topics: asked })
      return new Map(
        found.map(({ name, partitions }) => [
          name,
          partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex).map(({ offset }) => Number(offset)),
        ]),
      )
    }
    const first = await offsets(ListOffsetTimestamps.EARLIEST)
    const end = await offsets(ListOffsetTimestamps.LATEST)
    return new Map(
      wanted.map((topic) => [topic, { id: known.get(topic)!.id, first: first.get(topic)!, end: end.get(topic)! }]),
    )
  })
}

async function withAdmin<T>(brokers: Brokers, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin(connectionTo(brokers))
  try {
    return await work(admin)
  } catch (cause) {
    throw new Error(`the brokers at ${brokers.bootstrapServers} do not answer`, { cause })
  } finally {
    await admin.close()
  }
}

/**
 * Passes every record from `positions` on to `take`, in the order of each topic partition, and advances `positions`. If
 * the brokers fail, calls `onTrouble` and continues when they come back. Settles when `signal` aborts.
 */
export async function followTopics(
  brokers: Brokers,
  positions: Positions,
  { take, onTrouble, signal }: FollowOptions,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await followUntilError(brokers, positions, take, signal)
    } catch (error) {
      if (signal.aborted) return
      onTrouble((error as Error).message)
      await pause(1_000, undefined, { signal }).catch(() => undefined)
    }
  }
}

export type FollowOptions = {
  readonly take: (record: WatchedRecord) => Promise<void>
  readonly onTrouble: (message: string) => void
  readonly signal: AbortSignal
}

async function followUntilError(
  brokers: Brokers,
  positions: Positions,
  take: FollowOptions['take'],
  signal: AbortSignal,
): Promise<void> {
  // The consumer group is a new one, so that every watch gets every record. Positions are stored elsewhere.
  const groupId = `tidemark-watch-${process.pid}-${Date.now()}`
  const consumer = new Consumer({ ...connectionTo(brokers), groupId })
  try {
    const stream = await consumer.consume({
      topics: [...positions.keys()],
      mode: MessagesStreamModes.MANUAL,
      offsets: [...positions].flatMap(([topic, offsets]) =>
        offsets.map((offset, partition) => ({ topic, partition, offset: BigInt(offset) })),
      ),
      autocommit: false,
      maxWaitTime: 200,
    })
    const stop = () => stream.destroy()
    signal.addEventListener('abort', stop)
    // The signal may have been aborted while the consumer was connecting.
    if (signal.aborted) return
    try {
      for await (const { topic, partition, offset, value, timestamp, headers } of stream) {
        const place = { topic, topicPartition: partition, offset: Number(offset), timestampMs: Number(timestamp) }
        await take({ ...place, value: value?.toString() ?? null, headers: keyHeaders(headers) })
        positions.get(topic)![partition] = place.offset + 1
        if (signal.aborted) return
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  } finally {
    await consumer.close(true)
  }
}

function keyHeaders(headers: ReadonlyMap<Buffer, Buffer>): WatchedRecord['headers'] {
  const texts = new Map([...headers].map(([name, value]) => [name.toString(), value.toString()]))
  return { newKey: texts.get('__debezium.newkey'), oldKey: texts.get('__debezium.oldkey') }
}

const connectionTo = ({ bootstrapServers, access }: Brokers) => ({
  clientId: 'tidemark-watch',
  bootstrapBrokers: bootstrapServers.split(','),
  ...access,
})

/** The topics to watch. All named topics must exist; if none is named, one of the usual topics must exist. */
export async function requireTopics(brokers: Brokers, named?: readonly string[]): Promise<Map<string, TopicState>> {
  const present = await listTopics(brokers)
  if (named !== undefined) requireNames('topic', named, present)
  const topics = [...new Set(named ?? usualTopics)].filter((topic) => present.includes(topic))
  if (topics.length > 0) return await readTopicStates(brokers, topics)
  throw new Error(`the brokers at ${brokers.bootstrapServers} have none of the topics ${usualTopics.join(', ')}`)
}

const usualTopics = ['changes', userEventsTopic]
