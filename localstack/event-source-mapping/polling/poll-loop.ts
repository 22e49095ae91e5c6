import type { ValueFilter } from '../definition/filter-criteria.ts'
import { batchLimitBytes, recordLimitBytes } from './batch.ts'
import type { AssignedPartition, Fetched, GroupMember } from './consumer-group.ts'
import { type EventFrame, makeRecordEncoder } from './event.ts'
import { readFetched } from './fetched-records.ts'
import { ChunkWriter, RecordQueue } from './record-queue.ts'

/** A topic partition that is polled. Its records wait in `queue` until they are delivered. */
export type PolledPartition = {
  /** `<topic>-<partition>` */
  name: string
  topic: string
  partition: number
  /** The id of the broker that leads it. */
  leader: number
  /** The offset to fetch next. */
  position: bigint
  /** The offset after the last queued record. Records between it and `position` go to no function. */
  end: number
  /** Everything below this offset has been processed. */
  processed: number
  queue: RecordQueue
  /** The length of the last chunk, which the next one is expected to have, too. */
  expectedBytes: number
  /** The length of the longest record, as JSON, that an event can carry. */
  recordLimitBytes: number
  encode: ReturnType<typeof makeRecordEncoder>
}

/** Makes a topic partition that is polled from its assigned offset on. */
export function makePolledPartition(
  topic: string,
  frame: EventFrame,
  { partition, leader, offset }: AssignedPartition,
): PolledPartition {
  const name = `${topic}-${partition}`
  return {
    name,
    topic,
    partition,
    leader,
    position: offset,
    end: Number(offset),
    processed: Number(offset),
    queue: new RecordQueue(),
    expectedBytes: 0,
    recordLimitBytes: recordLimitBytes(name, batchLimitBytes, frame),
    encode: makeRecordEncoder(topic, partition),
  }
}

/** The result of a poll for a topic partition. `filteredOut` of its records go to no function. */
export type Polled = { records: number; filteredOut: number; logEndOffset: number }

export type PollObserver = {
  /** Called when new records wait in the queues. */
  onRecords: () => void
  onPolled: (partition: PolledPartition, polled: Polled) => void
  /** Called when a record fits into no event. */
  onTooLarge: (partition: PolledPartition, offset: number, bytes: number) => void
  onOffsetLost: (partition: PolledPartition, offset: bigint) => void
}

/** How long the broker delays its answer to a poll while there is nothing new. */
const longPollMs = 500
/** The same while some queues are full. It is short, so that these are polled soon after they have room. */
const shortPollMs = 10
/** Length of the encoded records that may wait, over all topic partitions. Each one gets from 1 to 4 MB of it. */
const bufferBytes = 32 << 20
/** A poll that brought less than this has reached the end of its topic partitions. */
const littleBytes = 64 << 10

export type PollOptions = {
  /** Settles when records have left the queues. */
  room: () => Promise<void>
  /** Settles when another poll is worthwhile after one that brought little. */
  more: () => Promise<void>
  signal: AbortSignal
  observer: PollObserver
  filter?: ValueFilter
}

/**
 * Polls one broker for its topic partitions until `signal` is aborted. A topic partition with a full queue is left out
 * until `room` settles, so that memory stays constant however slow the function is. Rejects when the broker fails.
 */
export async function pollBroker(
  member: Pick<GroupMember, 'fetch' | 'startingOffsets'>,
  partitions: PolledPartition[],
  { room, more, signal, observer, filter = () => true }: PollOptions,
): Promise<void> {
  const queueBytes = Math.min(4 << 20, Math.max(1 << 20, bufferBytes / partitions.length))
  while (!signal.aborted) {
    const wanted = partitions.filter(({ queue }) => queue.bytes < queueBytes)
    if (wanted.length === 0) {
      await room()
      continue
    }
    const positions = new Map(wanted.map(({ partition, position }) => [partition, position]))
    const waitMs = wanted.length === partitions.length ? longPollMs : shortPollMs
    const fetched = await member.fetch(partitions[0]!.leader, positions, waitMs)
    if (signal.aborted) return
    let bytes = 0
    for (const each of fetched) {
      const target = wanted.find(({ partition }) => partition === each.partitionIndex)!
      if ('outOfRange' in each) await beginAgain(member, target, observer)
      else bytes += keep(each, target, filter, observer)
    }
    observer.onRecords()
    if (bytes > 0 && bytes < littleBytes) await more()
  }
}

/** Queues the fetched records. Returns their length. */
function keep(
  fetched: Exclude<Fetched, { outOfRange: true }>,
  target: PolledPartition,
  filter: ValueFilter,
  observer: PollObserver,
): number {
  const writer = new ChunkWriter(target.expectedBytes)
  let filteredOut = 0
  target.position = readFetched(fetched, target.position, (record) => {
    if (!filter(record.value)) {
      filteredOut++
      return
    }
    const json = target.encode(record)
    writer.add(json, record.offset, record.timestamp)
    if (json.length > target.recordLimitBytes) observer.onTooLarge(target, record.offset, json.length)
  })
  const chunk = writer.finish(performance.now())
  if (chunk !== undefined) {
    target.end = chunk.offsets.at(-1)! + 1
    target.expectedBytes = chunk.bytes.length
    target.queue.push(chunk)
  }
  const records = (chunk?.offsets.length ?? 0) + filteredOut
  observer.onPolled(target, { records, filteredOut, logEndOffset: Number(fetched.highWatermark) })
  return chunk?.bytes.length ?? 0
}

/**
 * Continues at the starting position, because the broker has removed records that the group had not read, or because
 * the topic was created again.
 */
async function beginAgain(
  member: Pick<GroupMember, 'startingOffsets'>,
  target: PolledPartition,
  observer: PollObserver,
): Promise<void> {
  const lost = target.position
  target.position = (await member.startingOffsets([target.partition])).get(target.partition)!
  observer.onOffsetLost(target, lost)
}
