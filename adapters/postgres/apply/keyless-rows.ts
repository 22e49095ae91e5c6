// How are the rows of a keyless table counted, and where is its ledger stored?

import type pg from 'pg'
import { KeylessLedger, type LedgerChanges } from '#core/keyless/keyless-ledger.ts'
import type { KeylessChange, KeylessProgress, KeylessWrites } from '#core/keyless/keyless-writes.ts'
import { parseReadSnapshot } from '#core/read-snapshot.ts'
import type { RowValue } from '#core/tables/row-write.ts'
import type { AppliedTable } from '#core/tables/table-register.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import { logKeylessStatement } from './keyless-history.ts'
import { allPlaces, literal, rowsTable, storedName } from './latest-state-statements.ts'
import { blaming, readAgain, TableFailureError } from './table-failure.ts'

const identity = (key: ProgressKey): [string, string, number] => [key.consumer, key.topic, key.topicPartition]

/** The ledger and the snapshots of keyless tables after all applied records of a topic partition. */
export async function loadKeylessProgress(client: pg.PoolClient, key: ProgressKey): Promise<KeylessProgress> {
  const { rows } = await client.query(
    `select p.state,
       coalesce((
         select json_agg(json_build_array(t.txid, t.beacon))
         from tidemark.unkeyed_transaction t
         where (t.consumer, t.topic, t.topic_partition) = (p.consumer, p.topic, p.topic_partition)
       ), '[]') as passed,
       coalesce((
         select json_agg(json_build_array(g.relation || ' ' || g.generation, g.read_snapshot))
         from tidemark.generation g
         where g.read_snapshot is not null
       ), '[]') as snapshots
     from tidemark.unkeyed_progress p
     where (p.consumer, p.topic, p.topic_partition) = ($1, $2, $3)`,
    identity(key),
  )
  const stored = rows[0]
  if (stored === undefined) return { ledger: new KeylessLedger(), readSnapshots: new Map() }
  const snapshots = stored.snapshots as [string, string][]
  return {
    ledger: new KeylessLedger({ ...stored.state, passed: stored.passed }),
    readSnapshots: new Map(snapshots.map(([generation, text]) => [generation, parseReadSnapshot(text)])),
  }
}

/** Stores the changes of the ledger, in the transaction that applies the records. */
export async function keepLedger(
  client: pg.PoolClient,
  key: ProgressKey,
  { added, pruned, state }: LedgerChanges,
): Promise<void> {
  if (pruned.length > 0) {
    await client.query(
      `delete from tidemark.unkeyed_transaction
       where (consumer, topic, topic_partition) = ($1, $2, $3)
         and txid = any ($4)`,
      [...identity(key), pruned],
    )
  }
  if (added.length > 0) {
    await client.query(
      `insert into tidemark.unkeyed_transaction (consumer, topic, topic_partition, txid, beacon)
       select $1, $2, $3, * from unnest($4::bigint[], $5::bigint[])
       on conflict (consumer, topic, topic_partition, txid) do update set beacon = excluded.beacon`,
      [...identity(key), added.map(([txId]) => txId), added.map(([, beacon]) => beacon)],
    )
  }
  await client.query(
    `insert into tidemark.unkeyed_progress (consumer, topic, topic_partition, state)
     values ($1, $2, $3, $4)
     on conflict (consumer, topic, topic_partition) do update set state = excluded.state`,
    [...identity(key), JSON.stringify(state)],
  )
}

/**
 * Stores the history of a keyless table and counts its rows. A row is identified by its content, so equal rows are one
 * row with a count. A count below zero is impossible in the source: rows are missing in the target, so the table fails,
 * unless a snapshot of its rows is under way.
 */
export async function countRows(client: pg.PoolClient, writes: KeylessWrites): Promise<void> {
  const { contract } = writes.table
  if (writes.logged && writes.changes.length > 0) {
    await blaming(contract, () => client.query(logKeylessStatement(writes)))
  }
  const counted = await blaming(contract, () => countOf(client, writes))
  if (counted === 'fewer than none' && contract.complete) {
    throw new TableFailureError(contract, 'a row was deleted that it does not have', readAgain)
  }
}

async function countOf(client: pg.PoolClient, writes: KeylessWrites): Promise<'counted' | 'fewer than none'> {
  const { table, cleared, readSnapshot, changes } = writes
  if (cleared) await client.query(`delete from ${rowsTable(table)}`)
  if (readSnapshot !== undefined) {
    await client.query('update tidemark.generation set read_snapshot = $3 where (relation, generation) = ($1, $2)', [
      table.contract.relation,
      table.contract.generation,
      readSnapshot,
    ])
  }
  const signed = changes.flatMap(signedRows)
  if (signed.length === 0) return 'counted'
  const counted = await client.query<{ image: string; count: string }>(countStatement(table), bindRows(table, signed))
  const gone = counted.rows.filter(({ count }) => count === '0').map(({ image }) => image)
  if (gone.length > 0) {
    await client.query(`delete from ${rowsTable(table)} where "tidemark$image" = any ($1) and "tidemark$count" = 0`, [
      gone,
    ])
  }
  return counted.rows.some(({ count }) => Number(count) < 0) ? 'fewer than none' : 'counted'
}

type SignedRow = { readonly sign: 1 | -1; readonly values: readonly RowValue[] }

function signedRows({ before, after }: KeylessChange): SignedRow[] {
  return [
    ...(before === undefined ? [] : [{ sign: -1, values: before } as const]),
    ...(after === undefined ? [] : [{ sign: 1, values: after } as const]),
  ]
}

/** Rows are compared by their text, because some types have no equality operator. */
function countStatement(table: AppliedTable): string {
  const places = allPlaces(table)
  const names = places.map((place) => storedName(table, place))
  const typed = places.map((place) => `${storedName(table, place)}::${table.columns[place]!.carried}`)
  return `with incoming as materialized (
  select sign, md5(row(${typed})::text)::uuid as image, ${typed.map((expression, i) => `${expression} as ${names[i]}`)}
  from unnest(${['$1::integer[]', ...places.map((_, i) => `$${i + 2}::text[]`)]}) as raw (sign, ${names})
),
summed as (
  select *, sum(sign) over same as rows, row_number() over same_in_order as place
  from incoming
  window same as (partition by image), same_in_order as (partition by image order by sign)
)
insert into ${rowsTable(table)} as stored ("tidemark$image", "tidemark$count", ${names})
select image, rows, ${names}
from summed
where place = 1
  and rows <> 0
on conflict ("tidemark$image")
do update set "tidemark$count" = stored."tidemark$count" + excluded."tidemark$count"
returning "tidemark$image" as image, "tidemark$count" as count`
}

const bindRows = (table: AppliedTable, rows: readonly SignedRow[]): string[] => [
  `{${rows.map(({ sign }) => sign).join(',')}}`,
  ...allPlaces(table).map((place) =>
    literal(
      rows.map(({ values }) => values[place]!),
      false,
    ),
  ),
]
