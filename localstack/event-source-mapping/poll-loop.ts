import { payloadLimitBytes, recordLimitBytes } from './batch.ts'
import type { AssignedPartition, Fetched, GroupMember } from './consumer-group.ts'
import { type EventFrame, makeRecordEncoder } from './event.ts'
import { readFetched } from './fetched-records.ts'
import { makeChunk, RecordQueue } from './record-queue.ts'

/** A topic partition that is polled: its records wait in `queue` until they are delivered. */
export type PolledPartition = {
  /** `<topic>-<partition>` */
  name: string
  topic: string
  partition: number
  /** The broker that has it. */
  leader: number
  /** The offset to fetch next. */
  position: bigint
  /** The offset behind the last record that was read: only control records lie between it and `position`. */
  end: number
  queue: RecordQueue
  /** The longest record, as JSON, an event can carry. */
  recordLimitBytes: number
  encode: ReturnType<typeof makeRecordEncoder>
}

/** Polled from the offset it is assigned with. */
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
    queue: new RecordQueue(),
    recordLimitBytes: recordLimitBytes(name, payloadLimitBytes, frame),
    encode: makeRecordEncoder(topic, partition),
  }
}

export type PollObserver = {
  /** New records wait in the queues. */
  onRecords: () => void
  onPolled: (partition: PolledPartition, records: number, logEndOffset: number) => void
  /** The record fits into no event: its topic partition ends there. */
  onTooLarge: (partition: PolledPartition, offset: number, bytes: number) => void
  onOffsetLost: (partition: PolledPartition, offset: bigint) => void
}

/** How long the broker holds a poll while there is nothing new; it answers at once when there is. */
const longPollMs = 500
/** While some queues are full: soon enough to poll them again when they are not. */
const shortPollMs = 10
/** Encoded records that may wait, over all topic partitions; one gets from 1 to 4 MB of it. */
const bufferBytes = 32 << 20

/**
 * Polls one broker for its topic partitions until `signal` is aborted. A topic partition whose queue is full is left out
 * until `room` settles, so memory stays flat however slow the function is. Rejects when the broker fails.
 */
export async function pollBroker(
  member: GroupMember,
  partitions: PolledPartition[],
  { room, signal, observer }: { room: () => Promise<void>; signal: AbortSignal; observer: PollObserver },
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
    for (const each of fetched) {
      const target = wanted.find(({ partition }) => partition === each.partitionIndex)!
      if ('outOfRange' in each) await beginAgain(member, target, observer)
      else keep(each, target, observer)
    }
    observer.onRecords()
  }
}

function keep(fetched: Exclude<Fetched, { outOfRange: true }>, target: PolledPartition, observer: PollObserver): void {
  const records: string[] = []
  const offsets: number[] = []
  target.position = readFetched(fetched, target.position, (record) => {
    const json = target.encode(record)
    records.push(json)
    offsets.push(record.offset)
    if (json.length > target.recordLimitBytes) observer.onTooLarge(target, record.offset, json.length)
  })
  if (records.length > 0) {
    target.end = offsets.at(-1)! + 1
    target.queue.push(makeChunk(records, offsets, performance.now()))
  }
  observer.onPolled(target, records.length, Number(fetched.highWatermark))
}

/** The broker has removed what the group had not read, or the topic was made anew: the starting position decides. */
async function beginAgain(member: GroupMember, target: PolledPartition, observer: PollObserver): Promise<void> {
  const lost = target.position
  target.position = (await member.startingOffsets([target.partition])).get(target.partition)!
  observer.onOffsetLost(target, lost)
}
