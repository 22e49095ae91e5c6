// Which records of a delivery are new, and when does a topic partition stop because of a gap or another topic?

/** What the consumer has applied of one topic partition. */
export type Progress = {
  /** Offset of the first record that is not applied. */
  readonly nextOffset: number
  /** Digest of the record at nextOffset − 1; null before the first. */
  readonly lastDigest: string | null
  /** Greatest Kafka timestamp applied, in ms since 1970; null before the first. */
  readonly newestTimestampMs: number | null
}

/** The place of a record, and what distinguishes it from another record at the same place. */
export type RecordIdentity = { readonly offset: number; readonly timestampMs: number; readonly digest: () => string }

/** What to do with a delivery: apply the records from an index on, skip all of them, or stop with a reason. */
export type DeliveryDecision =
  | { readonly kind: 'apply'; readonly from: number }
  | { readonly kind: 'duplicate' }
  /** `applicable` is the number of records before the one that causes the stop. It is 0 when none of them is new. */
  | { readonly kind: 'stop'; readonly atOffset: number; readonly reason: string; readonly applicable: number }

/**
 * `contiguous`: the topic has no transactions and no compaction, so a gap in its offsets means that records were lost.
 */
export type OffsetRule = 'contiguous' | 'sparse'

/**
 * Decides what to do with the records of a delivery, which are in the order of offsets, after `progress`. Records that
 * were applied before are skipped. A gap, records that are gone from the topic, and a topic other than the one applied
 * so far are stops: going on would lose records.
 */
export function decideDelivery(
  progress: Progress,
  records: readonly RecordIdentity[],
  rule: OffsetRule,
): DeliveryDecision {
  if (records.length === 0) return { kind: 'apply', from: 0 }
  const foreign = records.find((record) => isForeign(progress, record))
  if (foreign !== undefined) {
    return stop(
      foreign.offset,
      `the record at offset ${foreign.offset} is not the one applied before: ${FOREIGN_TOPIC}`,
    )
  }
  const from = records.findIndex((record) => record.offset >= progress.nextOffset)
  if (from < 0) return { kind: 'duplicate' }
  if (rule === 'contiguous') {
    let expected = progress.nextOffset
    for (let i = from; i < records.length; i++, expected++) {
      const { offset } = records[i]!
      if (offset !== expected) return stop(expected, gapReason(expected, offset), i > from ? i : 0)
    }
  }
  return { kind: 'apply', from }
}

const FOREIGN_TOPIC = 'the topic was re-created or its log diverged'

/** Whether a stop's reason is that the topic is not the one that was applied before. */
export const isForeignTopic = (reason: string): boolean => reason.endsWith(FOREIGN_TOPIC)

function isForeign(progress: Progress, record: RecordIdentity): boolean {
  if (record.offset >= progress.nextOffset) return false
  if (record.offset === progress.nextOffset - 1) return record.digest() !== progress.lastDigest
  return progress.newestTimestampMs !== null && notedTimestamp(record.timestampMs) > progress.newestTimestampMs
}

/** The end of the year 9999. A producer may send any 64 bits, and some of them are no time that Postgres can store. */
const LATEST_MS = 253_402_300_799_999

/** A record's timestamp as progress notes and compares it. */
export const notedTimestamp = (timestampMs: number): number => Math.min(timestampMs, LATEST_MS)

function gapReason(expected: number, offset: number): string {
  return expected === 0
    ? `the first record is at offset ${offset}, not 0: earlier records are gone from the topic`
    : `records ${expected} to ${offset - 1} are missing: they were lost, or are delivered out of order`
}

/** Offsets of a topic partition, from `from` up to but not including `to`. */
export type Gap = { readonly from: number; readonly to: number }

/** The offsets that are missing before the record that a stop refuses; undefined when the stop has another reason. */
export function gapOf(reason: string): Gap | undefined {
  const atStart = /^the first record is at offset (\d+), not 0: /.exec(reason)
  if (atStart !== null) return { from: 0, to: Number(atStart[1]) }
  const between = /^records (\d+) to (\d+) are missing: /.exec(reason)
  return between === null ? undefined : { from: Number(between[1]), to: Number(between[2]) + 1 }
}

const stop = (atOffset: number, reason: string, applicable = 0): DeliveryDecision => ({
  kind: 'stop',
  atOffset,
  reason,
  applicable,
})
