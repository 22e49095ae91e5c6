import type { ListedTopic, RecordPage, WholeRecord } from '#core/console/topics.ts'
import { eachCommittedBatch } from '../committed-batches.ts'
import { firstRecords, lastRecords, type MergedPage } from './merged-page.ts'
import { type ForwardRead, readForward } from './read-forward.ts'
import { cursorOf, type Extent, positionsAt, type ReadPlace, readExtent } from './read-positions.ts'
import { type PlacedRecord, recordsOf, wholeRecord } from './shown-records.ts'
import { listTopics } from './topic-list.ts'
import { type BrokerConnection, OffsetGoneError, type TopicSession, withTopic } from './topic-session.ts'

/** Which records of a topic are read. */
export type RecordsRequest = {
  readonly topic: string
  readonly place: ReadPlace
  /** Null for all topic partitions. */
  readonly topicPartition: number | null
  /** The key contains this text; null for every record, also one without a key. */
  readonly key: string | null
  /** The most records that are answered. */
  readonly limit: number
}

/** Reads topics for a person who looks at them. Each call is bounded in time, records and bytes. */
export type TopicReader = {
  /** Throws a BrokersUnreachableError, as all of these do. */
  list(): Promise<readonly ListedTopic[]>
  /** Undefined if there is no such topic or topic partition. */
  read(request: RecordsRequest): Promise<RecordPage | undefined>
  /** Undefined if there is no committed record at the place. `valueFrom` counts UTF-16 units or hexadecimal digits. */
  readOne(topic: string, topicPartition: number, offset: bigint, valueFrom: number): Promise<WholeRecord | undefined>
}

const READ_MS = 4_000
/** How many records of each topic partition are searched from the end. */
const SEARCHED_FROM_END = 20_000n

/** A reader that asks for the brokers at each call, because a login may expire and brokers may be replaced. */
export function makeTopicReader(connect: () => Promise<BrokerConnection>): TopicReader {
  return {
    list: async () => listTopics(await connect()),
    read: async (request) => {
      const connection = await connect()
      return onceMore(() => withTopic(connection, request.topic, (session) => readPage(session, request)))
    },
    readOne: async (topic, topicPartition, offset, valueFrom) => {
      const connection = await connect()
      return withTopic(connection, topic, async (session) => {
        const placed = await findRecord(session, { topic, topicPartition, offset })
        return placed && wholeRecord(placed, valueFrom)
      })
    },
  }
}

/** Records that expire during a read are looked for once more. */
async function onceMore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof OffsetGoneError)) throw error
    return await work()
  }
}

async function readPage(session: TopicSession, request: RecordsRequest): Promise<RecordPage | undefined> {
  const { topic, place, topicPartition, key, limit } = request
  const all = Array.from({ length: session.topicPartitions }, (_, partition) => partition)
  const topicPartitions = topicPartition === null ? all : all.filter((each) => each === topicPartition)
  if (topicPartitions.length === 0) return undefined
  const extent = await readExtent(session)
  const common = { topic, ends: extent.ends, limit, isWanted: keyFilter(key), deadline: performance.now() + READ_MS }
  if (place.kind === 'end') {
    const { page, looked } = await readTail(session, common, topicPartitions, extent, key !== null)
    return pageOf(page, extent, looked)
  }
  const from = await positionsAt(session, place, topicPartitions, extent)
  const read = await readForward(session, { ...common, from, keepsLast: false })
  return pageOf(firstRecords(read, limit), extent, read.looked)
}

const pageOf = ({ items, positions }: MergedPage, { ends }: Extent, looked: number): RecordPage => ({
  items,
  next: cursorOf(positions),
  isAtEnd: [...positions].every(([partition, position]) => position >= ends[partition]!),
  looked,
})

function keyFilter(text: string | null): (record: PlacedRecord) => boolean {
  if (text === null) return () => true
  const bytes = Buffer.from(text)
  return ({ record }) => record.key?.includes(bytes) ?? false
}

/**
 * The last records. Transactions and compaction leave gaps in offsets, so it looks further back, up to four times as far
 * at each attempt, until it has enough.
 */
async function readTail(
  session: TopicSession,
  common: Omit<ForwardRead, 'from' | 'keepsLast'>,
  topicPartitions: readonly number[],
  { begins, ends }: Extent,
  isSearch: boolean,
): Promise<{ page: MergedPage; looked: number }> {
  const { limit, deadline } = common
  let span = isSearch ? SEARCHED_FROM_END : BigInt(limit)
  for (let attempt = 1; ; attempt++, span *= 4n) {
    const from = new Map(topicPartitions.map((each) => [each, larger(ends[each]! - span, begins[each]!)]))
    const read = await readForward(session, { ...common, from, keepsLast: true })
    const page = lastRecords(read, limit)
    const isWhole = [...from].every(([each, offset]) => offset === begins[each]!)
    const isEnough = page.items.length >= limit || isWhole || isSearch || attempt === 5
    if (isEnough || performance.now() > deadline) return { page, looked: read.looked }
  }
}

const larger = (a: bigint, b: bigint): bigint => [a, b].reduce((most, each) => (each > most ? each : most))

/** At least one batch is sent, however large it is, so a fetch of one byte brings that of the record. */
const ONE_BATCH = { bytes: 1, perTopicPartition: 1, waitMs: 100 }

async function findRecord(
  session: TopicSession,
  { topic, topicPartition, offset }: { topic: string; topicPartition: number; offset: bigint },
): Promise<PlacedRecord | undefined> {
  if (topicPartition >= session.topicPartitions) return undefined
  const { begins, ends } = await readExtent(session)
  if (offset < begins[topicPartition]! || offset >= ends[topicPartition]!) return undefined
  let found: PlacedRecord | undefined
  for (const fetched of await session.fetch(new Map([[topicPartition, offset]]), ONE_BATCH)) {
    eachCommittedBatch(fetched, offset, (batch) => {
      if (found !== undefined || batch.firstOffset > offset) return
      for (const placed of recordsOf(batch, { topic, topicPartition, from: offset })) {
        if (placed.offset === offset) found = placed
        return
      }
    })
  }
  return found
}
