// What is in quarantine, and why?

import type pg from 'pg'
import type { QuarantinedItem } from '#core/console/quarantine.ts'
import type { Payload } from '#core/console/topics.ts'
import { BoundValues } from './bound-values.ts'

/** Where a list of the quarantine goes on: behind a record. */
export type QuarantinePlace = { readonly topic: string; readonly topicPartition: number; readonly offset: string }

/** The place of a text such as `changes-2@17`; undefined if it names none. */
export function parseQuarantinePlace(text: string): QuarantinePlace | undefined {
  const [, topic, topicPartition, offset] = /^(.{1,249})-(\d{1,9})@(\d{1,18})$/.exec(text) ?? []
  return offset === undefined ? undefined : { topic: topic!, topicPartition: Number(topicPartition), offset }
}

/** A record in quarantine with everything that came with it, and what is done with its table. */
export type QuarantinedRecord = Omit<QuarantinedItem, 'value'> & {
  readonly value: Payload | null
  readonly key: Payload | null
  readonly headers: readonly { readonly name: string; readonly value: Payload | null }[]
  /** Columns and types of the contract in force; null if no contract names the table. */
  readonly expected: readonly { readonly name: string; readonly type: string }[] | null
  /** How the stop of its table is resolved; null if the table is not stopped. */
  readonly repair: 'accept' | 'resync' | null
  /** Whether it is part of the rows of a captured table, so that it cannot be discarded. */
  readonly isOwed: boolean
}

type Row = {
  place: string
  table: string | null
  reason: string
  keptAt: string
  isRetried: boolean
  value: string | null
  valueBytes: number | null
}

/** In lists a value has at most this many characters; of one record a key and a value have more. */
const [charactersInLists, characters] = [2_000, 500_000]

/** SQL of a text that is cut, from the bytes where the text is not exact. */
const payload = (
  name: string,
  cut: string,
) => `left(coalesce(encode(substr(q.${name}_bytes, 1, ${cut} / 2), 'hex'), q.record_${name}), ${cut}) as "${name}",
  coalesce(octet_length(q.${name}_bytes), octet_length(q.record_${name})) as "${name}Bytes", q.${name}_bytes is not null as "${name}IsHex"`

const columns = `format('%s-%s@%s', q.topic, q.topic_partition, q.record_offset) as place, q.table_name as "table", q.reason,
  to_char(q.quarantined_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "keptAt",
  q.retry_at is not null as "isRetried"`

function payloadOf(text: string | null, bytes: number | null, isHex: boolean): Payload | null {
  if (text === null || bytes === null) return null
  const shown = isHex ? text.length / 2 : Buffer.byteLength(text)
  return { kind: isHex ? 'hex' : 'text', text, isCut: shown < bytes, bytes }
}

/** The records in quarantine in the order of their places: of one table, or of all, behind a place. */
export async function listQuarantined(
  database: pg.Pool,
  table: string | undefined,
  after: QuarantinePlace | undefined,
  limit: number,
): Promise<QuarantinedItem[]> {
  const bound = new BoundValues()
  const what = table === undefined ? `'all'` : bound.bind(table, 'text')
  const behind =
    after === undefined
      ? 'true'
      : `(q.topic, q.topic_partition, q.record_offset) > (${bound.bind(after.topic, 'text')}, ${bound.bind(after.topicPartition, 'integer')}, ${bound.bind(after.offset, 'bigint')})`
  const { rows } = await database.query<Row & { valueIsHex: boolean }>(
    `select ${columns}, ${payload('value', `${charactersInLists}`)}
     from tidemark.kept(${what}) q
     where ${behind}
     order by q.topic, q.topic_partition, q.record_offset
     limit ${bound.bind(limit, 'integer')}`,
    bound.values,
  )
  return rows.map(({ value, valueBytes, valueIsHex, ...row }) => ({
    place: row.place,
    table: row.table,
    reason: row.reason,
    keptAt: row.keptAt,
    isRetried: row.isRetried,
    value: payloadOf(value, valueBytes, valueIsHex),
  }))
}

type WholeRow = Row & {
  valueIsHex: boolean
  key: string | null
  keyBytes: number | null
  keyIsHex: boolean
  headers: Record<string, string | null> | null
  expected: QuarantinedRecord['expected']
  repair: QuarantinedRecord['repair']
  isOwed: boolean
}

/** One record in quarantine; undefined if there is none at the place. */
export async function readQuarantined(
  database: pg.Pool,
  { topic, topicPartition, offset }: QuarantinePlace,
): Promise<QuarantinedRecord | undefined> {
  const { rows } = await database.query<WholeRow>(
    `select ${columns}, ${payload('value', '$4::integer')}, ${payload('key', '$4::integer')}, q.record_headers as headers,
       e.expected, s.repair,
       q.relation <> 0 and exists (select from tidemark.contract c where c.relation = q.relation)
         and not exists (
           select from tidemark.table_marker m where m.relation = q.relation and m.dropped_at is not null
         ) as "isOwed"
     from tidemark.quarantine q
     left join tidemark.stopped_table s on s.relation = q.relation and q.relation <> 0
     left join lateral (
       select jsonb_agg(jsonb_build_object('name', c ->> 'name', 'type', c ->> 'type') order by n) as expected
       from (
         select k.contract
         from tidemark.contract k
         where k.relation = q.relation
         order by k.epoch desc, k.version desc
         limit 1
       ) k
       cross join lateral jsonb_array_elements(k.contract -> 'columns') with ordinality as l (c, n)
     ) e on true
     where q.topic = $1
       and q.topic_partition = $2
       and q.record_offset = $3`,
    [topic, topicPartition, offset, characters],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const { value, valueBytes, valueIsHex, key, keyBytes, keyIsHex, headers, ...rest } = row
  return {
    ...rest,
    value: payloadOf(value, valueBytes, valueIsHex),
    key: payloadOf(key, keyBytes, keyIsHex),
    headers: Object.entries(headers ?? {}).map(([name, text]) => ({
      // Quarantine keeps the two headers that a change of the key has.
      name: `__debezium.${name.toLowerCase()}`,
      value: text === null ? null : payloadOf(String(text), Buffer.byteLength(String(text)), false),
    })),
  }
}

/** How many records a word names for tidemark.kept: a place, a table, or `all`; and whether its table is stopped. */
export async function countKept(database: pg.Pool, what: string): Promise<{ records: number; owed: number }> {
  const { rows } = await database.query<{ records: number; owed: number }>(
    `select count(*)::float8 as records,
       (count(*) filter (where q.relation <> 0 and exists (select from tidemark.contract c where c.relation = q.relation)
         and not exists (select from tidemark.table_marker m where m.relation = q.relation and m.dropped_at is not null)))::float8
         as owed
     from tidemark.kept($1) q`,
    [what],
  )
  return rows[0]!
}
