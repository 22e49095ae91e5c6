// How does a table stop, alone and with a reason, and which tables are stopped when a batch begins?

import type pg from 'pg'
import type { QuarantinedRecord, TableStop } from '#core/apply/batch-steps.ts'
import { type HistoryRule, type HistorySetting, historyRule, type StoppedTable } from '#core/tables/table-settings.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import { quarantine, type RecordToQuarantine } from '../delivery/quarantine.ts'
import { prepared } from '../session/statement.ts'

/** The settings of tables at the beginning of a batch. */
export type TableSettings = {
  readonly stopped: readonly StoppedTable[]
  /** The tables that have to be read again and for which no resync is known to be under way. */
  readonly resyncs: readonly string[]
  readonly isLogged: HistoryRule
}

/**
 * Whether a resync of a stopped table has to be requested. If any topic partition has a contract of a later generation,
 * that resync is under way, and another request would delay both; if reading takes longer than the interval of the
 * requests, it would never end. Until then the requests are repeated at growing intervals.
 */
const due = `s.automatic
  and coalesce(now() - s.requested_at > greatest(interval '10 seconds', s.requested_at - s.stopped_at), true)
  and not exists (
    select
    from tidemark.contract c
    where c.relation = s.relation
      and (c.contract ->> 'generation')::integer > s.generation
  )`

/** Reads the settings. */
export async function loadSettings(client: pg.PoolClient): Promise<TableSettings> {
  const { rows } = await client.query<{
    stopped: { relation: number; generation: number; name: string; accepted: boolean; due: boolean }[]
    history: HistorySetting[]
  }>(
    prepared({
      values: [],
      text: `select
       (
         select coalesce(json_agg(json_build_object(
           'relation', s.relation, 'generation', s.generation,
           -- It may have been renamed since it stopped.
           'name', coalesce((
             select c.contract ->> 'schema' || '.' || (c.contract ->> 'table')
             from tidemark.contract c
             where c.relation = s.relation
             order by c.epoch desc, c.version desc
             limit 1
           ), s.schema_name || '.' || s.table_name),
           'accepted', s.accepted_at is not null,
           'due', ${due}
         )), '[]')
         from tidemark.stopped_table s
       ) as stopped,
       (
         select coalesce(json_agg(json_build_object(
           'schema', h.schema_name, 'table', h.table_name, 'enabled', h.enabled, 'relations', h.relations
         )), '[]')
         from tidemark.history_setting h
       ) as history`,
    }),
  )
  const { stopped, history } = rows[0]!
  return {
    stopped,
    resyncs: stopped.filter(({ due }) => due).map(({ name }) => name),
    isLogged: historyRule(history),
  }
}

/** Stops a table. If it is stopped already in the same generation, the first reason stays. */
export async function stopTable(
  client: pg.PoolClient | pg.Pool,
  { relation, generation, schema, table, reason, repair, automatic }: TableStop,
): Promise<void> {
  const values = [relation, generation, schema, table, reason, repair, automatic]
  await client.query('select tidemark.stop_table($1, $2, $3, $4, $5, $6, $7)', values)
  if (relation !== 0) await nameStopped(client, [relation])
}

/**
 * Gives stopped tables the names of their newest contracts, because the source does not find a table by a former name
 * when its rows have to be read again.
 */
export async function nameStopped(client: pg.PoolClient | pg.Pool, relations: readonly number[]): Promise<void> {
  await client.query(
    `update tidemark.stopped_table s
     set schema_name = newest.schema_name,
       table_name = newest.table_name
     from unnest($1::bigint[]) as of (relation)
     cross join lateral (
       select c.contract ->> 'schema' as schema_name, c.contract ->> 'table' as table_name
       from tidemark.contract c
       where c.relation = of.relation
       order by c.epoch desc, c.version desc
       limit 1
     ) newest
     where s.relation = of.relation
       and (s.schema_name, s.table_name) <> (newest.schema_name, newest.table_name)`,
    [relations],
  )
}

/** A record as it was delivered, with the parts that quarantine needs. */
type DeliveredBytes = Omit<RecordToQuarantine, 'tableName' | 'reason'>

/**
 * The records of a batch, some of which may be quarantined, and the greatest number of quarantined records of one
 * table.
 */
export type Delivered = { readonly records: readonly DeliveredBytes[]; readonly quarantineLimit: number | undefined }

/** Quarantines records of the batch that are not applied. */
export async function quarantineUnapplied(
  client: pg.PoolClient,
  key: ProgressKey,
  records: readonly QuarantinedRecord[],
  { records: delivered, quarantineLimit }: Delivered,
): Promise<void> {
  const byOffset = new Map(delivered.map((record) => [record.offset, record]))
  await quarantine(
    client,
    key,
    records.map((one) => ({ ...byOffset.get(one.offset)!, ...one })),
    quarantineLimit,
  )
}

/** Notes that a resync of the tables in `resyncs` was requested. */
export async function noteRequests(client: pg.PoolClient): Promise<void> {
  await client.query(
    `update tidemark.stopped_table s
     set requested_at = now()
     where ${due}`,
  )
}
