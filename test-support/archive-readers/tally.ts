import { hash } from 'node:crypto'
import { archivedTimestamp } from '#adapters/iceberg/archive/archive-table.ts'

/** The tally of the records of a topic partition, or of those that a question selects. */
export type Tally = {
  readonly records: number
  /** The number of different offsets. It is less than `records` when a record is there twice. */
  readonly offsets: number
  readonly first: number
  readonly last: number
  /**
   * The sum of the first 32 bits of the MD5 of each record's text. It does not depend on the order, and fits into 53
   * bits.
   */
  readonly checksum: number
}

/** Tallies by `topic-partition`. */
export type Tallies = Readonly<Record<string, Tally>>

/** A record as the archive must return it. An absent part is null. */
export type ExpectedRecord = {
  readonly topic: string
  readonly topicPartition: number
  readonly offset: number
  readonly timestampMs: number
  readonly tableName: string | null
  readonly op: string | null
  readonly lsn: number | null
  readonly key: string | null
  readonly headers: string | null
  readonly encoding: string | null
  readonly value: string | null
}

/**
 * A question selects rows: by a condition in SQL, in which each reader writes a time in its own way, and by the same
 * condition in JavaScript.
 */
export type Question = {
  readonly where: (time: (iso: string) => string) => string
  readonly holds: (record: ExpectedRecord) => boolean
}

/**
 * The SQL text of a row from which its checksum is computed. The engine provides `text` of a number and `millis` of a
 * timestamp.
 */
export const rowText = ({ text, millis }: { text: (column: string) => string; millis: (column: string) => string }) => {
  const value = `case when envelope_tail is null then value else concat('{"before":', coalesce(before, 'null'), ',"after":',
    coalesce(after, 'null'), ',"source":', source, envelope_tail) end`
  const parts = [
    ...['topic', text('kafka_partition'), text('kafka_offset'), text(millis('kafka_ts')), 'table_name', 'op'],
    ...[text('lsn'), 'key', 'headers', 'encoding', value],
  ]
  return `concat(${parts.map((part) => `coalesce(${part}, 'null')`).join(`, '|', `)})`
}

const textOf = (record: ExpectedRecord): string => {
  const { topic, topicPartition, offset, timestampMs, tableName, op, lsn, key, headers, encoding, value } = record
  return `${topic}|${topicPartition}|${offset}|${archivedTimestamp(timestampMs)}|${tableName}|${op}|${lsn}|${key}|${headers}|${encoding}|${value}`
}

/** Tallies records for each question. No two records may have the same offset. */
export function makeTallying(questions: readonly Question[]) {
  const byQuestion = questions.map((question) => ({ question, tallies: new Map<string, Tally>() }))
  return {
    add(record: ExpectedRecord): void {
      const checksum = hash('md5', textOf(record), 'buffer').readUInt32BE()
      const stream = `${record.topic}-${record.topicPartition}`
      for (const { question, tallies } of byQuestion) {
        if (question.holds(record)) tallies.set(stream, extended(tallies.get(stream), record.offset, checksum))
      }
    },
    tallies: (): Tallies[] => byQuestion.map(({ tallies }) => Object.fromEntries(tallies)),
  }
}

function extended(tally: Tally | undefined, offset: number, checksum: number): Tally {
  return {
    records: (tally?.records ?? 0) + 1,
    offsets: (tally?.offsets ?? 0) + 1,
    first: tally?.first ?? offset,
    last: offset,
    checksum: (tally?.checksum ?? 0) + checksum,
  }
}
