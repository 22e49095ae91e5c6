import type pg from 'pg'

/** A record in quarantine. */
export type QuarantinedRecord = {
  /** Topic, topic partition and offset, as `changes-2@17`. */
  readonly place: string
  /** The table, as `public.orders`; null if the record is about none. */
  readonly table: string | null
  readonly reason: string
  readonly keptAt: Date
  /** Whether somebody asked to apply it again. */
  readonly isRetried: boolean
}

/** The number of quarantined records of one table, or of no table, for one reason. */
export type QuarantinedGroup = {
  readonly topic: string
  readonly table: string | null
  readonly reason: string
  readonly records: number
}

/**
 * A quarantined record with everything that came with it. Key and value are texts if these are exact, otherwise bytes.
 */
export type WholeRecord = QuarantinedRecord & {
  readonly key: string | Buffer | null
  readonly value: string | Buffer | null
  readonly headers: unknown
}

const columns = `format('%s-%s@%s', topic, topic_partition, record_offset) as place, table_name as "table", reason,
  quarantined_at as "keptAt", retry_at is not null as "isRetried"`

/** The records that `what` names for tidemark.kept: one by its place, those of a table, or all. */
export async function listQuarantined(
  client: pg.ClientBase,
  what: string,
  limit: number,
): Promise<QuarantinedRecord[]> {
  const { rows } = await client.query<QuarantinedRecord>(
    `select ${columns}
     from tidemark.kept($1)
     limit $2`,
    [what, limit],
  )
  return rows
}

/** The numbers of quarantined records by table and reason, the greatest first. */
export async function groupQuarantined(client: pg.ClientBase): Promise<QuarantinedGroup[]> {
  const { rows } = await client.query<QuarantinedGroup>(
    `select topic, table_name as "table", reason, count(*)::int as records
     from tidemark.quarantine
     group by topic, table_name, reason
     order by count(*) desc, topic, table_name, reason`,
  )
  return rows
}

/** The record at a place; undefined if there is none. */
export async function readQuarantined(client: pg.ClientBase, place: string): Promise<WholeRecord | undefined> {
  const { rows } = await client.query<
    QuarantinedRecord &
      Record<'key' | 'value', string | null> & { headers: unknown } & Record<'keyBytes' | 'valueBytes', Buffer | null>
  >(
    `select ${columns}, record_key as key, record_value as value, record_headers as headers, key_bytes as "keyBytes",
       value_bytes as "valueBytes"
     from tidemark.kept($1)`,
    [place],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const { keyBytes, valueBytes, ...record } = row
  return { ...record, key: keyBytes ?? record.key, value: valueBytes ?? record.value }
}
