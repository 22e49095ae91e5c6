// How are records quarantined, up to which limit, and which of them does an operator retry?

import type pg from 'pg'
import type { QuarantinedRecord } from '#core/apply/batch-steps.ts'
import { fullQuarantine } from '#core/recovery/stop-reasons.ts'
import type { KeyHeaders } from '#core/wire/change.ts'
import { storableJson, storableText } from '../session/storable-text.ts'
import { RefusedDeliveryError } from './apply-transaction.ts'
import type { ProgressKey } from './progress.ts'

/** A record that is quarantined instead of applied, and the reason. */
export type RecordToQuarantine = Omit<QuarantinedRecord, 'relation' | 'generation'> & {
  /** The relation of the table that the record is about, if it is known. */
  readonly relation?: number
  readonly generation?: number
  readonly key: string | undefined
  readonly value: string | undefined
  readonly headers?: KeyHeaders | undefined
  /** Key and value as they came; absent if only their texts are known. */
  readonly bytes?: (() => RecordBytes) | undefined
}

/** The key and value of a record; undefined if the record has none. */
export type RecordBytes = { readonly key: Uint8Array | undefined; readonly value: Uint8Array | undefined }

/**
 * The greatest number of quarantined records of one table in a topic partition, and of those without a table. The
 * delivery that exceeds it is still kept as a whole.
 */
export const quarantineLimit = 1_000_000

export type QuarantineSettings = { readonly quarantineLimit?: number }

/**
 * Quarantines records as they came, in the transaction that moves progress past them. Once `limit` records of a table
 * are kept, later ones are not, and the table needs a resync. Once `limit` records without a table are kept, the
 * delivery is refused, because no resync would bring later ones back.
 */
export async function quarantine(
  client: pg.PoolClient,
  key: ProgressKey,
  records: readonly RecordToQuarantine[],
  limit = quarantineLimit,
): Promise<void> {
  const full = await fullRelations(client, key, records, limit)
  const refused = full.has(0) ? records.find(({ relation = 0 }) => relation === 0) : undefined
  if (refused !== undefined) {
    const reason = fullQuarantine(`${key.topic}-${key.topicPartition}`, limit, refused.reason)
    throw new RefusedDeliveryError(refused.offset, reason)
  }
  await quarantineAgain(
    client,
    key,
    full.size === 0 ? records : records.filter(({ relation = 0 }) => !full.has(relation)),
  )
}

/**
 * The relations of which no more records are kept: stopped tables, and 0 for records without a table. It notes with a
 * table that its records are not kept from now on, except for an accepted table, whose quarantined records are being
 * applied.
 */
async function fullRelations(
  client: pg.PoolClient,
  key: ProgressKey,
  records: readonly RecordToQuarantine[],
  limit: number,
): Promise<ReadonlySet<number>> {
  const relations = [...new Set(records.map(({ relation = 0 }) => relation))]
  const newest = records.reduce((last, { offset }) => Math.max(last, offset), 0)
  // Records are counted only if the distance of the offsets allows for so many of them.
  const { rows } = await client.query<{ relation: string }>(
    `with full_relation as (
       select wanted.relation
       from unnest($3::bigint[]) as wanted (relation)
       cross join lateral (
         select min(q.record_offset) as first_offset
         from tidemark.quarantine q
         where q.relation = wanted.relation
           and q.topic = $1
           and q.topic_partition = $2
       ) kept
       where $4::bigint - kept.first_offset >= $5::bigint
         and $5 <= (
           select count(*)
           from (
             select
             from tidemark.quarantine q
             where q.relation = wanted.relation
               and q.topic = $1
               and q.topic_partition = $2
             limit $5
           ) counted
         )
     ),
     ended as (
       update tidemark.stopped_table s
       set not_kept_since = now(),
         repair = 'resync',
         reason = format('the quarantine is full for it: it has %s of its changes in %s-%s, and later ones are not kept, so '
           'its rows have to be read again. It was stopped because %s', $5::bigint, $1::text, $2::integer, s.reason)
       from full_relation f
       where s.relation = f.relation
         and s.relation <> 0
         and s.not_kept_since is null
         and s.accepted_at is null
       returning s.relation
     )
     select f.relation from full_relation f where f.relation = 0
     union
     select e.relation from ended e
     union
     select s.relation
     from tidemark.stopped_table s
     where s.relation = any ($3)
       and s.relation <> 0
       and s.not_kept_since is not null`,
    [key.topic, key.topicPartition, relations, newest, limit],
  )
  return new Set(rows.map(({ relation }) => Number(relation)))
}

/** Puts records back that were taken out of quarantine. The limit is not checked, because they were in it before. */
export async function quarantineAgain(
  client: pg.PoolClient,
  key: ProgressKey,
  records: readonly RecordToQuarantine[],
): Promise<void> {
  if (records.length === 0) return
  await client.query(
    `insert into tidemark.quarantine (topic, topic_partition, record_offset, relation, generation, table_name,
       record_key, record_value, record_headers, reason, key_bytes, value_bytes)
     select $1, $2, *
     from unnest($3::bigint[], $4::bigint[], $5::integer[], $6::text[], $7::text[], $8::text[], $9::jsonb[], $10::text[],
       $11::bytea[], $12::bytea[])
     on conflict do nothing`,
    [
      key.topic,
      key.topicPartition,
      records.map((record) => record.offset),
      records.map((record) => record.relation ?? 0),
      records.map((record) => record.generation ?? 0),
      records.map((record) => record.tableName && storableText(record.tableName)),
      records.map((record) => storable(record.key)),
      records.map((record) => storable(record.value)),
      records.map(({ headers }) => (headers === undefined ? null : storableJson(JSON.stringify(headers)))),
      records.map((record) => storableText(record.reason)),
      records.map((record) => bytesUnlessExact(record, 'key')),
      records.map((record) => bytesUnlessExact(record, 'value')),
    ],
  )
}

/** A record that was quarantined. Its bytes are there only if its texts are not exact. */
export type RetriedRecord = Pick<RecordToQuarantine, 'offset' | 'key' | 'value' | 'headers' | 'bytes'>

/** The greatest number of records that are taken out of quarantine at once. */
export const retriedAtOnce = 1_000

/**
 * Takes records out of quarantine that somebody asked to apply again, at most `retriedAtOnce`. The caller must put back
 * those that cannot be applied.
 */
export async function takeRetried(client: pg.PoolClient, key: ProgressKey): Promise<RetriedRecord[]> {
  const { rows } = await client.query<{
    record_offset: string
    record_key: string | null
    record_value: string | null
    key_bytes: Buffer | null
    value_bytes: Buffer | null
    record_headers: KeyHeaders | null
  }>(
    `delete from tidemark.quarantine
     where topic = $1
       and topic_partition = $2
       and record_offset in (
         select record_offset
         from tidemark.quarantine
         where topic = $1
           and topic_partition = $2
           and retry_at is not null
         order by record_offset
         limit $3
       )
     returning record_offset, record_key, record_value, key_bytes, value_bytes, record_headers`,
    [key.topic, key.topicPartition, retriedAtOnce],
  )
  return rows.map((row) => ({
    offset: Number(row.record_offset),
    key: row.key_bytes?.toString('utf8') ?? row.record_key ?? undefined,
    value: row.value_bytes?.toString('utf8') ?? row.record_value ?? undefined,
    headers: row.record_headers ?? undefined,
    bytes: () => ({ key: row.key_bytes ?? undefined, value: row.value_bytes ?? undefined }),
  }))
}

/** The topic partitions, as `changes-2`, with quarantined records that somebody asked to apply again. */
export async function topicPartitionsToRetry(client: pg.ClientBase | pg.Pool): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct format('%s-%s', q.topic, q.topic_partition) as name
     from tidemark.quarantine q
     left join tidemark.stopped_table s on s.relation = q.relation and s.relation <> 0
     where q.retry_at is not null
       or s.accepted_at is not null
     order by name`,
  )
  return rows.map(({ name }) => name)
}

const storable = (text: string | undefined): string | null => (text === undefined ? null : storableText(text))

/** The bytes of key or value as a bytea literal, if its text is not exact. */
function bytesUnlessExact(record: RecordToQuarantine, which: 'key' | 'value'): string | null {
  const text = record[which]
  // Bytes that are not UTF-8 were decoded to the replacement character.
  if (text === undefined || !/[\0\ufffd]/.test(text)) return null
  const bytes = record.bytes?.()[which]
  return bytes === undefined ? null : `\\x${Buffer.from(bytes).toString('hex')}`
}
