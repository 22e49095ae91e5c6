import type { Pool } from 'pg'

type Column = { number: number; name: string; carried: string; key?: number; generated?: boolean }

/** The columns of a test's table: number, name, type and place in the key. */
export const orders: Column[] = [
  { number: 1, name: 'id', carried: 'bigint', key: 1 },
  { number: 2, name: 'status', carried: 'text' },
  { number: 3, name: 'amount', carried: 'numeric(12,2)' },
  { number: 4, name: 'twice', carried: 'numeric', generated: true },
]

/** Stores a contract in the target; by default it is that of public.orders, relation 1, version 1. */
export async function keepContract(
  pool: Pool,
  changes: {
    relation?: number
    version?: number
    schema?: string
    table?: string
    columns?: Column[]
    epoch?: number
  } = {},
): Promise<void> {
  const { relation = 1, version = 1, schema = 'public', table = 'orders', columns = orders, epoch = 1 } = changes
  const contract = {
    relation,
    version,
    schema,
    table,
    topicPartitions: 1,
    columns: columns.map((column) => ({ key: null, generated: false, ...column })),
  }
  await pool.query(
    `insert into tidemark.contract (topic, topic_partition, epoch, relation, version, at_offset, phase, lsn, contract)
     values ('changes', 0, $1, $2, $3, $3::integer, 1, $3::integer, $4)`,
    [epoch, relation, version, contract],
  )
}

/** A change in history's form: texts in the order of the stored columns. */
export type KeptChange = {
  op: 'c' | 'u' | 'd' | 'r' | 't'
  key?: (string | null)[] | null
  before?: (string | null)[]
  after?: (string | null)[]
  lsn?: number
  at?: string
  txid?: number
  relation?: number
  version?: number
  ordinal?: number
  epoch?: number
}

/** Stores changes, by default of 21 November 2026 and a second apart. Creates the table partitions of their days. */
export async function keepChanges(pool: Pool, ...changes: KeptChange[]): Promise<void> {
  for (const [i, change] of changes.entries()) {
    const { key = null, before = null, after = null, lsn = 100 + i, txid = 700 + i, relation = 1, version = 1 } = change
    const at = change.at ?? `2026-11-21 12:00:${String(i).padStart(2, '0')}+00`
    await pool.query(
      'select tidemark.ensure_change_days(day, day) from (select ($1::timestamptz at time zone $2)::date) d (day)',
      [at, 'UTC'],
    )
    await pool.query(
      `insert into tidemark_rows.change
         (committed_at, relation, key_hash, lsn, txid, epoch, ordinal, version, op, key, before, after)
       values ($1, $2::bigint, tidemark.key_hash($2::bigint, $3::text[]), $4, $5, $6, $7, $8, $9, $3::text[], $10::text[], $11::text[])`,
      [
        at,
        relation,
        key,
        lsn,
        txid,
        change.epoch ?? 1,
        change.ordinal ?? 2 * lsn + (change.op === 'd' ? 0 : 1),
        version,
        change.op,
        before,
        after,
      ],
    )
  }
}
