import type pg from 'pg'
import type { ProgressKey } from './progress.ts'

/** A record to keep instead of applying it, and why. */
export type RecordToKeep = {
  readonly offset: number
  readonly tableName: string | null
  readonly key: string | undefined
  readonly value: string | undefined
  readonly reason: string
}

/** Keeps records as they came, in the transaction that moves progress past them. */
export async function keepInQuarantine(
  client: pg.PoolClient,
  key: ProgressKey,
  records: readonly RecordToKeep[],
): Promise<void> {
  await client.query(
    `insert into tidemark.quarantine (topic, topic_partition, record_offset, table_name, record_key, record_value, reason)
     select $1, $2, * from unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[])`,
    [
      key.topic,
      key.topicPartition,
      records.map((record) => record.offset),
      records.map((record) => record.tableName),
      records.map((record) => storable(record.key)),
      records.map((record) => storable(record.value)),
      records.map((record) => storable(record.reason)),
    ],
  )
}

/** Postgres refuses NUL in text: it is kept as the picture of it. */
const storable = (text: string | undefined): string | null => text?.replaceAll('\0', '\u2400') ?? null
