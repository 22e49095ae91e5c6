import type pg from 'pg'

/** A record that was kept instead of applied. */
export type KeptRecord = {
  /** `changes-2@17`: topic, topic partition and offset. */
  readonly place: string
  /** As `public.orders`; null where the record is about none. */
  readonly table: string | null
  readonly reason: string
  readonly keptAt: Date
  /** Somebody said to apply it again. */
  readonly isRetried: boolean
}

/** What is kept of one table, or of no table, for one reason. */
export type KeptGroup = {
  readonly topic: string
  readonly table: string | null
  readonly reason: string
  readonly records: number
}

/** A kept record with all that came with it; texts where they are all of it, else bytes. */
export type WholeRecord = KeptRecord & {
  readonly key: string | Buffer | null
  readonly value: string | Buffer | null
  readonly headers: unknown
}

const columns = `format('%s-%s@%s', topic, topic_partition, record_offset) as place, table_name as "table", reason,
  quarantined_at as "keptAt", retry_at is not null as "isRetried"`

/** The records that a word names, as tidemark.kept has it: one by its place, those of a table, or all. */
export async function listKept(client: pg.ClientBase, what: string, limit: number): Promise<KeptRecord[]> {
  const { rows } = await client.query<KeptRecord>(
    `select ${columns}
     from tidemark.kept($1)
     limit $2`,
    [what, limit],
  )
  return rows
}

/** How many records are kept, by table and reason, most first. */
export async function groupKept(client: pg.ClientBase): Promise<KeptGroup[]> {
  const { rows } = await client.query<KeptGroup>(
    `select topic, table_name as "table", reason, count(*)::int as records
     from tidemark.quarantine
     group by topic, table_name, reason
     order by count(*) desc, topic, table_name, reason`,
  )
  return rows
}

/** The record at a place; undefined where none is kept. */
export async function readKept(client: pg.ClientBase, place: string): Promise<WholeRecord | undefined> {
  const { rows } = await client.query<
    KeptRecord &
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
