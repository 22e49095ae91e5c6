import { hash } from 'node:crypto'
import { archivedTimestamp } from '#adapters/iceberg/archive/archive-table.ts'

/** What is known of the records of a topic partition, or of those of them that a question is about. */
export type Tally = {
  readonly records: number
  /** Different offsets: as many as records, or one of them is there twice. */
  readonly offsets: number
  readonly first: number
  readonly last: number
  /** Sum of the first 32 bits of the MD5 of each record's text. It has no order and fits 53 bits. */
  readonly checksum: number
}

/** By `topic-partition`. */
export type Tallies = Readonly<Record<string, Tally>>

/** A record as it has to come back from the archive; absent is null. */
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

/** What rows are asked for: a condition in SQL, in which each reader writes a time its own way, and the same in JavaScript. */
export type Question = {
  readonly where: (time: (iso: string) => string) => string
  readonly holds: (record: ExpectedRecord) => boolean
}

/** The text of a row that its checksum is of, as SQL; `text` of a number and `millis` of a timestamp are the engine's. */
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

/** Tallies records, of which none has the offset of another, question by question. */
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
