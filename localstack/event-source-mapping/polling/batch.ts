// Which records does one invocation get? As many as fit into Lambda's limit of 6 MB.

import type { EventFrame } from './event.ts'
import { type RecordQueue, type RecordRun, runBytes, selectRecords } from './record-queue.ts'

/** The largest event that Lambda accepts is 6 MB, measured as JSON with base64. */
export const batchLimitBytes = 6 * 1024 * 1024

/** A topic partition, and the queue of its records that wait to be sent. */
export type Source = { name: string; queue: RecordQueue }

export type BatchLimits = { records: number; bytes: number }

/** Records by `<topic>-<partition>`. */
export type BatchParts = Map<string, RecordRun>

/** The records of one invocation, and the event that contains them. */
export type Batch = { parts: BatchParts; records: number; payload: Buffer }

/** The length of the longest record, as JSON, that an event of the topic partition can carry. */
export function recordLimitBytes(name: string, limitBytes: number, frame: EventFrame): number {
  return limitBytes - frame.head.length - opening(name, 0).length - ']'.length - frame.tail.length
}

/**
 * When the waiting records have to be sent, on the clock of their arrival: at once if they fill a batch, otherwise when
 * the oldest has waited for the window. Undefined when there are none.
 */
export function batchDueAt(sources: Source[], windowMs: number, limits: BatchLimits): number | undefined {
  let oldest: number | undefined
  let records = 0
  let bytes = 0
  for (const { queue } of sources) {
    const arrival = queue.oldestArrival
    if (arrival === undefined) continue
    oldest = oldest === undefined ? arrival : Math.min(oldest, arrival)
    records += queue.count
    bytes += queue.bytes
  }
  if (oldest === undefined) return undefined
  return records >= limits.records || bytes >= limits.bytes ? oldest : oldest + windowMs
}

/**
 * Takes the oldest records of the sources until the batch is full, beginning with those that have waited longest. A
 * record that alone exceeds the limit stays and blocks its topic partition. Undefined when nothing could be taken.
 */
export function formBatch(sources: Source[], limits: BatchLimits, frame: EventFrame): Batch | undefined {
  const parts: BatchParts = new Map()
  let records = 0
  let bytes = frame.head.length + frame.tail.length
  for (const { name, queue } of longestWaitingFirst(sources)) {
    const framing = opening(name, parts.size).length + ']'.length
    const run = queue.take(limits.records - records, limits.bytes - bytes - framing)
    if (run === undefined) continue
    parts.set(name, run)
    records += run.count
    bytes += framing + run.bytes
    // The batch is full. The records of the other topic partitions get an invocation of their own, so that this one
    // does not hold them back.
    if (queue.count > 0) break
  }
  return parts.size === 0 ? undefined : makeBatch(parts, frame)
}

/** Makes the batch of these records. */
export function makeBatch(parts: BatchParts, frame: EventFrame): Batch {
  const chunks: Buffer[] = [Buffer.from(frame.head)]
  let records = 0
  for (const [name, run] of parts) {
    chunks.push(Buffer.from(opening(name, records)), ...runBytes(run), Buffer.from(']'))
    records += run.count
  }
  chunks.push(Buffer.from(frame.tail))
  return { parts, records, payload: Buffer.concat(chunks) }
}

/** The records for which `keep` returns true. */
export function selectParts(parts: BatchParts, keep: (name: string, offset: number, timestamp: number) => boolean) {
  const selected: BatchParts = new Map()
  for (const [name, run] of parts) {
    const kept = selectRecords(run, (offset, timestamp) => keep(name, offset, timestamp))
    if (kept !== undefined) selected.set(name, kept)
  }
  return selected
}

/** The first half and the second half of a batch. AWS: "Split batch on error". */
export function bisect({ parts, records }: Batch): [BatchParts, BatchParts] {
  let place = 0
  const isFirst = () => place++ < Math.ceil(records / 2)
  const first = selectParts(parts, isFirst)
  place = 0
  return [first, selectParts(parts, () => !isFirst())]
}

function opening(name: string, before: number): string {
  return `${before > 0 ? ',' : ''}${JSON.stringify(name)}:[`
}

function longestWaitingFirst(sources: Source[]): Source[] {
  const waiting = sources.filter(({ queue }) => queue.count > 0)
  return waiting.sort((a, b) => a.queue.oldestArrival! - b.queue.oldestArrival!)
}
