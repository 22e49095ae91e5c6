import type pg from 'pg'

/** How much a target has: tables, their rows, and changes spread evenly over them and over thirty days. */
export type HistorySize = { readonly tables: number; readonly changes: number }

/** The days of history that are kept unless something else is set. */
const DAYS = 30
const CHANGES_AT_ONCE = 200_000
const MOST_ROWS_OF_A_TABLE = 3_000
const CHANGES_OF_A_ROW = 4
const CHANGES_OF_A_TRANSACTION = 2
/** Every so many transactions one says who made it. */
const SAID_EVERY = 10
const USERS = 50
/** One record is in quarantine for so many changes. */
const CHANGES_OF_A_QUARANTINED = 1_000
const TOPIC_PARTITIONS = 4

/** The rows that each table has; their keys begin at 1. */
export const rowsOfTable = ({ tables, changes }: HistorySize): number =>
  Math.max(1, Math.min(MOST_ROWS_OF_A_TABLE, Math.floor(changes / tables / CHANGES_OF_A_ROW)))

/** The transactions of the history, which begin at 0. */
export const transactionsOf = ({ changes }: HistorySize): number => Math.ceil(changes / CHANGES_OF_A_TRANSACTION)

/** A user who has made some transactions. */
export const userOf = (number: number): string => `user ${number % USERS}`

/** Generates what apply would have written, into a target that has nothing yet. */
export async function fillTarget(
  target: pg.Client,
  size: HistorySize,
  onProgress: (what: string) => void,
): Promise<void> {
  onProgress(`making ${size.tables.toLocaleString('en-US')} tables`)
  await makeTables(target, size)
  const stepUs = Math.floor((DAYS * 86_400_000_000) / size.changes)
  await target.query(
    `select tidemark.ensure_change_days((now() - interval '${DAYS + 1} days')::date, (now() + interval '1 day')::date)`,
  )
  const { rows } = await target.query<{ start: string }>(
    `select ((now() - interval '${DAYS} days') at time zone 'UTC')::text || 'Z' as start`,
  )
  const { start } = rows[0]!
  for (let from = 0; from < size.changes; from += CHANGES_AT_ONCE) {
    await target.query(
      insertChanges(size, { start, stepUs, from, until: Math.min(size.changes, from + CHANGES_AT_ONCE) }),
    )
    onProgress(`${from.toLocaleString('en-US')} changes are there`)
  }
  await target.query(
    `insert into tidemark.audit_message (epoch, txid, lsn, committed_at, who, why)
     select 1, t, 2 * t, ${timeOf('2 * t', start, stepUs)}, 'user ' || t / ${SAID_EVERY} % ${USERS}, 'because'
     from generate_series(0::bigint, ${transactionsOf(size) - 1}::bigint, ${SAID_EVERY}) t`,
  )
  await target.query(
    `insert into tidemark.progress (consumer, topic, topic_partition, next_offset, committed_at)
     select 'tidemark-latest-state', 'changes', p, ${size.changes}, now() from generate_series(0, ${TOPIC_PARTITIONS - 1}) p`,
  )
  await fillQuarantine(target, size)
  onProgress('vacuuming the target')
  await target.query('vacuum (analyze)')
}

/** The commit time of a change; those of one transaction have the same. */
const timeOf = (change: string, start: string, stepUs: number): string =>
  `'${start}'::timestamptz + (${change}) / ${CHANGES_OF_A_TRANSACTION} * interval '1 microsecond' * ${stepUs * CHANGES_OF_A_TRANSACTION}`

type Chunk = { readonly start: string; readonly stepUs: number; readonly from: number; readonly until: number }

/** A row is inserted once, and updated from then on. */
const insertChanges = (size: HistorySize, { start, stepUs, from, until }: Chunk): string =>
  `insert into tidemark_rows.change (
     committed_at, relation, key_hash, ordinal, lsn, txid, epoch, version, op, key, after
   )
   select ${timeOf('n', start, stepUs)}, r, tidemark.key_hash(r, array[k]), 2 * n, n, n / ${CHANGES_OF_A_TRANSACTION}, 1, 1,
     (case when n < ${size.tables * rowsOfTable(size)} then 'c' else 'u' end)::"char", array[k],
     array[k, 'name of ' || k, 'value ' || n, 'x', 'some longer text to fill the row a little', null, 'v' || (n % 7), '2026-01-01 00:00:00Z']
   from (
     select n, 1 + n % ${size.tables} as r, (n / ${size.tables} % ${rowsOfTable(size)} + 1)::text as k
     from generate_series(${from}::bigint, ${until - 1}::bigint) n
   ) x`

/** Further changes of a table, behind all others, as one delivery would write them. */
export async function addChanges(target: pg.Client, size: HistorySize, delivery: number): Promise<void> {
  const count = 1_000
  const first = size.changes + delivery * count
  const k = `(n % ${rowsOfTable(size)} + 1)::text`
  await target.query(
    `insert into tidemark_rows.change (
       committed_at, relation, key_hash, ordinal, lsn, txid, epoch, version, op, key, after
     )
     select clock_timestamp(), 1, tidemark.key_hash(1, array[${k}]), 2 * n, n, n, 1, 1, 'u', array[${k}],
       array[${k}, 'a', 'b', 'c', 'd', 'e', 'f', '2026-01-01 00:00:00Z']
     from generate_series(${first}::bigint, ${first + count - 1}::bigint) n;
     update tidemark.progress set next_offset = next_offset + ${count / TOPIC_PARTITIONS}, committed_at = now()`,
  )
}

/** The names and types of the columns of each table; the first is the key. */
const columns = Array.from({ length: 8 }, (_, n) => ({
  name: `column_${n + 1}`,
  type: n === 0 ? 'bigint' : n === 7 ? 'timestamp with time zone' : 'text',
}))

const contractColumns = columns.map(({ name, type }, n) => ({
  ...{ number: n + 1, name, type, carried: type, wire: 'value', nullable: n > 0, generated: false, expression: null },
  ...{ key: n === 0 ? 1 : null, missing: null, definition: null },
}))

const fixedContract = {
  ...{ version: 1, schema: 'public', dropped: false, published: true, refusal: null, generation: 1, complete: true },
  ...{ topicPartitions: TOPIC_PARTITIONS, replicaIdentity: 'default', parents: [], columns: contractColumns },
}

const contractOf = (r: string): string =>
  `('${JSON.stringify(fixedContract)}'::jsonb || jsonb_build_object('relation', ${r}, 'table', 't' || ${r}))`

/** Tables, contracts and views as apply makes them, and the rows. */
async function makeTables(target: pg.Client, size: HistorySize): Promise<void> {
  await target.query(
    `insert into tidemark.contract (topic, topic_partition, epoch, relation, version, at_offset, phase, lsn, contract)
     select 'changes', p, 1, r, 1, 1, 1, 1, ${contractOf('r')}
     from generate_series(1, ${size.tables}) r, generate_series(0, ${TOPIC_PARTITIONS - 1}) p`,
  )
  const stored = columns.map((_, n) => `c${n + 1}`).join(', ')
  for (let table = 1; table <= size.tables; table++) {
    await target.query(
      `select tidemark.shape_latest_state(1, ${contractOf(`${table}`)});
       insert into tidemark_rows.t${table}_1 ("tidemark$epoch", "tidemark$phase", "tidemark$live", "tidemark$lsn", ${stored})
       select 1, 2, true, k, k, 'name of ' || k, 'value', 'x', 'some longer text to fill the row a little', null, 'v', '2026-01-01Z'
       from generate_series(1, ${rowsOfTable(size)}) k`,
    )
  }
}

const fillQuarantine = (target: pg.Client, size: HistorySize) =>
  target.query(
    `insert into tidemark.quarantine (topic, topic_partition, record_offset, relation, table_name, record_key, record_value, reason)
     select 'changes', n % ${TOPIC_PARTITIONS}, n, 0, 'public.t' || n % ${size.tables} + 1, '{"id":' || n || '}',
       jsonb_build_object('op', 'u', 'after', jsonb_build_object('id', n, 'note', repeat('x', 500)))::text, 'no contract names the table'
     from generate_series(1, ${Math.ceil(size.changes / CHANGES_OF_A_QUARANTINED)}) n`,
  )

/** The captured tables of the source whose changes the target has. They have no rows. */
export async function fillSource(source: pg.Client, { tables }: HistorySize): Promise<void> {
  await source.query(
    `select tidemark.configure(${TOPIC_PARTITIONS}, '{"schemas":["none"],"includeTables":[],"excludeTables":[],"excludeColumns":[]}')`,
  )
  const definitions = columns.map(({ name, type }, n) => `${name} ${type}${n === 0 ? ' primary key' : ''}`).join(', ')
  for (let table = 1; table <= tables; table++) await source.query(`create table public.t${table} (${definitions})`)
  await source.query(
    `insert into tidemark.captured_table (relation, schema_name, table_name, state, complete)
     select c.oid, 'public', c.relname, 'captured', true
     from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
     on conflict (relation) do update set state = 'captured', complete = true`,
  )
}
