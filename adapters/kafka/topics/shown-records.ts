import type { KafkaRecord, RecordsBatch } from '@platformatic/kafka'
import type { ShownRecord, WholeRecord } from '#core/console/topics.ts'
import { hasAppendTime } from '../committed-batches.ts'
import { cutPayload, partOfPayload } from './payload.ts'

/** A record of a batch with its place. */
export type PlacedRecord = {
  readonly topic: string
  readonly topicPartition: number
  readonly offset: bigint
  /** Milliseconds since 1970; -1 if the producer gave none. */
  readonly timestampMs: number
  readonly record: KafkaRecord
}

/** The records of a batch from offset `from` on. */
export function* recordsOf(
  batch: RecordsBatch,
  { topic, topicPartition, from }: { topic: string; topicPartition: number; from: bigint },
): Generator<PlacedRecord> {
  for (const record of batch.records) {
    const offset = batch.firstOffset + BigInt(record.offsetDelta)
    if (offset < from) continue
    const time = hasAppendTime(batch) ? batch.maxTimestamp : batch.firstTimestamp + record.timestampDelta
    yield { topic, topicPartition, offset, timestampMs: Number(time), record }
  }
}

/** The sizes, in bytes, that are shown of a record. `headers` bounds all of them together. */
const inList = { key: 1_024, value: 4_096, headers: 4_096 }
const whole = { key: 65_536, headers: 262_144 }

/** The record as a list shows it: long values are cut. */
export function shownRecord(placed: PlacedRecord): ShownRecord {
  const { key, value, headers } = placed.record
  return {
    ...placeOf(placed),
    key: cutPayload(key, inList.key),
    value: cutPayload(value, inList.value),
    headers: shownHeaders(headers, inList.headers),
  }
}

/** The record with the part of its value from `from` on. */
export function wholeRecord(placed: PlacedRecord, from: number): WholeRecord {
  const { key, value, headers } = placed.record
  return {
    ...placeOf(placed),
    key: cutPayload(key, whole.key),
    value: partOfPayload(value, from),
    headers: shownHeaders(headers, whole.headers),
    valueFrom: from,
  }
}

const placeOf = ({ topic, topicPartition, offset, timestampMs }: PlacedRecord) => ({
  ...{ topic, topicPartition, offset: String(offset) },
  timestamp: timeOf(timestampMs),
})

/** The greatest time that a Date can have. A producer may send any number. */
const LATEST_MS = 8.64e15

const timeOf = (ms: number): string | null => (ms < 0 || ms > LATEST_MS ? null : new Date(ms).toISOString())

function shownHeaders(headers: KafkaRecord['headers'], most: number): ShownRecord['headers'] {
  const shown: { name: string; value: ReturnType<typeof cutPayload> }[] = []
  let left = most
  for (const [name, value] of headers) {
    // Each header takes some space in JSON, even an empty one, and a record may have a million of them.
    if (left <= 0) break
    const named = nameOf(name ?? Buffer.alloc(0))
    const shownValue = cutPayload(value, Math.min(left, 1_024))
    left -= 64 + named.length + (shownValue?.text.length ?? 0)
    shown.push({ name: named, value: shownValue })
  }
  return shown
}

function nameOf(name: Buffer): string {
  const { kind, text } = cutPayload(name, 256)!
  return kind === 'text' ? text : `0x${text}`
}
