import type pg from 'pg'
import type { QuarantinedRecord } from '#core/batch-plan.ts'
import type { KeyHeaders } from '#core/envelope.ts'
import type { ProgressKey } from './progress.ts'

/** A record to keep instead of applying it, and why. */
export type RecordToKeep = Omit<QuarantinedRecord, 'relation' | 'generation'> & {
  /** Of the table it is about, where that is known. */
  readonly relation?: number
  readonly generation?: number
  readonly key: string | undefined
  readonly value: string | undefined
  readonly headers?: KeyHeaders | undefined
}

/** Records of a topic partition that may be kept of one table; beyond, the topic partition stops. */
export const parkingLimit = 1_000_000

/** Keeps records as they came, in the transaction that moves progress past them. */
export async function keepInQuarantine(
  client: pg.PoolClient,
  key: ProgressKey,
  records: readonly RecordToKeep[],
): Promise<void> {
  await client.query(
    `insert into tidemark.quarantine (topic, topic_partition, record_offset, relation, generation, table_name,
       record_key, record_value, record_headers, reason)
     select $1, $2, *
     from unnest($3::bigint[], $4::bigint[], $5::integer[], $6::text[], $7::text[], $8::text[], $9::jsonb[], $10::text[])
     on conflict do nothing`,
    [
      key.topic,
      key.topicPartition,
      records.map((record) => record.offset),
      records.map((record) => record.relation ?? 0),
      records.map((record) => record.generation ?? 0),
      records.map((record) => record.tableName),
      records.map((record) => storable(record.key)),
      records.map((record) => storable(record.value)),
      records.map((record) => (record.headers === undefined ? null : storable(JSON.stringify(record.headers)))),
      records.map((record) => storable(record.reason)),
    ],
  )
}

/** Postgres refuses NUL in text: it is kept as the picture of it. */
const storable = (text: string | undefined): string | null => text?.replaceAll('\0', '\u2400') ?? null
