import type { Time } from './values.ts'

/** `GET /topics`. */
export type ListedTopic = {
  readonly name: string
  readonly topicPartitions: readonly { readonly topicPartition: number; readonly begin: string; readonly end: string }[]
}

/**
 * A text, or bytes that are no UTF-8, in hexadecimal. A long one is cut; `bytes` is the size of the whole. A name of a
 * header that is no UTF-8 is written as `0x` and its bytes.
 */
export type Payload = {
  readonly kind: 'text' | 'hex'
  readonly text: string
  readonly isCut: boolean
  readonly bytes: number
}

/** A record of a topic. Offsets are texts, since they may have 19 digits. */
export type ShownRecord = {
  readonly topic: string
  readonly topicPartition: number
  readonly offset: string
  /** Null where the producer gave none, or one that is no time. */
  readonly timestamp: Time | null
  /** Null for a record without a key. */
  readonly key: Payload | null
  /** Null for a tombstone. */
  readonly value: Payload | null
  readonly headers: readonly { readonly name: string; readonly value: Payload | null }[]
}

/**
 * `GET /topics/<name>/records?…`: at most `limit` records from a place on, in the order of offsets in each topic
 * partition. The place is `from=begin|end`, `offset=<n>` with `partition=<n>`, or `time=<ISO 8601>`. `from=end` has the
 * last records. With `key=<text>` only records whose key contains the text are answered, from one topic partition or all;
 * the search ends after a while, and `next` goes on.
 */
export type RecordPage = {
  readonly items: readonly ShownRecord[]
  /** The parameter `after` that continues it, live at the end of the topic too. */
  readonly next: string
  /** Whether there were no further records in the topic partitions that were read. */
  readonly isAtEnd: boolean
  /** How many records were looked at. */
  readonly looked: number
}

/**
 * `GET /topics/<name>/records/<topic partition>/<offset>`: one record. `?part=value&from=<n>` continues a long value from
 * this UTF-16 unit (or half byte) on; each answer has at most a megabyte of it.
 */
export type WholeRecord = ShownRecord & { readonly valueFrom: number }
