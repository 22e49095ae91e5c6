import type { ShownRecord } from '#core/console/topics.ts'
import { eachCommittedBatch, type FetchedPartition } from '../committed-batches.ts'
import type { Positions } from './read-positions.ts'
import { type PlacedRecord, recordsOf, shownRecord } from './shown-records.ts'
import type { FetchSize, TopicSession } from './topic-session.ts'

/** How a read goes, and where it ends. */
export type ForwardRead = {
  readonly topic: string
  readonly from: Positions
  /** Records of later offsets are not waited for. */
  readonly ends: readonly bigint[]
  /** The most records of each topic partition. */
  readonly limit: number
  /** Whether the last ones are kept, and all up to `ends` are read. Otherwise the read ends when it has `limit`. */
  readonly keepsLast: boolean
  readonly isWanted: (record: PlacedRecord) => boolean
  /** Milliseconds of `performance.now()` after which nothing more is fetched. */
  readonly deadline: number
}

/** A record with its time in milliseconds. */
export type ReadRecord = { readonly shown: ShownRecord; readonly offset: bigint; readonly timestampMs: number }

/** What was read of each topic partition, in the order of its offsets, and where each goes on. */
export type ReadRecords = {
  readonly records: ReadonlyMap<number, ReadRecord[]>
  readonly positions: Positions
  readonly looked: number
}

/** Fetches are small, because a list shows little of each record, and fewer of them have to be read for a short list. */
const SIZE: FetchSize = { bytes: 4 << 20, perTopicPartition: 1 << 20, waitMs: 100 }
/** Bounds what one request reads, however long its records are. */
const MOST_BYTES = 64 << 20
const MOST_RECORDS = 500_000

/**
 * Reads on from positions until it has enough, or has come to `ends`, or to a bound of time, bytes and records. Gaps in
 * offsets, which compaction and transactions leave, are passed: brokers send the next batch after them.
 */
export async function readForward(session: TopicSession, read: ForwardRead): Promise<ReadRecords> {
  const positions = new Map(read.from)
  const records = new Map([...read.from.keys()].map((each) => [each, [] as ReadRecord[]]))
  const isOpen = ([partition, position]: [number, bigint]) =>
    position < read.ends[partition]! && (read.keepsLast || records.get(partition)!.length < read.limit)
  let looked = 0
  let bytes = 0
  for (;;) {
    const open = new Map([...positions].filter(isOpen))
    if (open.size === 0 || looked > MOST_RECORDS || bytes > MOST_BYTES || performance.now() > read.deadline) break
    for (const fetched of await session.fetch(open, SIZE)) {
      const topicPartition = fetched.partitionIndex
      const from = positions.get(topicPartition)!
      const taken = takeFrom(fetched, { topicPartition, from }, read, records.get(topicPartition)!)
      positions.set(topicPartition, taken.next)
      looked += taken.looked
      bytes += taken.bytes
    }
  }
  return { records, positions, looked }
}

/** Takes the wanted records of a fetch, up to the limit. */
function takeFrom(
  fetched: FetchedPartition,
  { topicPartition, from }: { topicPartition: number; from: bigint },
  { topic, limit, keepsLast, isWanted }: ForwardRead,
  list: ReadRecord[],
): { next: bigint; looked: number; bytes: number } {
  const seen = { looked: 0, bytes: 0 }
  let untaken: bigint | undefined
  const next = eachCommittedBatch(fetched, from, (batch) => {
    seen.bytes += batch.length
    for (const placed of recordsOf(batch, { topic, topicPartition, from })) {
      if (untaken !== undefined) return
      if (!keepsLast && list.length === limit) {
        untaken = placed.offset
        return
      }
      seen.looked++
      if (!isWanted(placed)) continue
      const { offset, timestampMs } = placed
      list.push({ shown: shownRecord(placed), offset, timestampMs })
      if (list.length > limit) list.shift()
    }
  })
  return { ...seen, next: untaken ?? next }
}
