import { readFile } from 'node:fs/promises'
import type { ClientBase } from 'pg'

/** What decides whether a server can be a source, as its catalog says it. */
export type SourceFacts = {
  database: string
  user: string
  /** e.g. 170010 for 17.10. */
  version: number
  versionText: string
  standby: boolean
  /** Amazon RDS or Aurora: settings are changed in a parameter group. */
  rds: boolean
  walLevel: string
  slots: number
  slotsUsed: number
  walSenders: number
  walSendersUsed: number
  /** -1 for no limit. */
  slotWalKeepMegabytes: number
  /** A slot that is not used for as long is invalidated; 0 for never. Postgres 18 and later. */
  idleSlotTimeoutSeconds: number
  mayCreateInDatabase: boolean
  mayCreateRoles: boolean
  /** May hand the right to replicate on to a role. */
  mayGrantReplication: boolean
  mayCreateEventTriggers: boolean
  /** Age of the oldest transaction that is open, in seconds; creating a slot waits for it. */
  oldestTransactionSeconds: number
}

/** A table of the schemas looked at. */
export type TableFacts = {
  name: string
  /** Postgres's estimate. */
  rows: number
  bytes: number
  refusals: { reason: string; fix: string }[]
}

const FACTS = `
  select
    current_database() as database,
    current_user as user,
    current_setting('server_version_num')::int as version,
    current_setting('server_version') as "versionText",
    pg_is_in_recovery() as standby,
    to_regrole('rds_superuser') is not null as rds,
    current_setting('wal_level') as "walLevel",
    current_setting('max_replication_slots')::int as slots,
    (select count(*)::int from pg_replication_slots) as "slotsUsed",
    current_setting('max_wal_senders')::int as "walSenders",
    (select count(*)::int from pg_stat_replication) as "walSendersUsed",
    (select setting::int from pg_settings where name = 'max_slot_wal_keep_size') as "slotWalKeepMegabytes",
    coalesce(
      (select setting::int from pg_settings where name = 'idle_replication_slot_timeout'),
      0
    ) as "idleSlotTimeoutSeconds",
    has_database_privilege(current_database(), 'create') as "mayCreateInDatabase",
    me.rolsuper or me.rolcreaterole as "mayCreateRoles",
    -- Before version 16 only a superuser may; on RDS it is membership of rds_replication.
    me.rolsuper
      or me.rolreplication and current_setting('server_version_num')::int >= 160000
      or coalesce(pg_has_role(to_regrole('rds_superuser'), 'usage'), false) as "mayGrantReplication",
    me.rolsuper or coalesce(pg_has_role(to_regrole('rds_superuser'), 'usage'), false) as "mayCreateEventTriggers",
    coalesce(
      (
        select extract(epoch from max(now() - xact_start))::int
        from pg_stat_activity
        where backend_xid is not null
          and pid <> pg_backend_pid()
      ),
      0
    ) as "oldestTransactionSeconds"
  from pg_roles me
  where me.rolname = current_user`

/** Reads them. */
export async function readSourceFacts(client: ClientBase): Promise<SourceFacts> {
  const { rows } = await client.query<SourceFacts>(FACTS)
  return rows[0]!
}

const rulesFiles = ['003-column-types.sql', '004-refusals.sql'].map(
  (name) => new URL(`../../sql/source/${name}`, import.meta.url),
)

/**
 * Reads the tables of the schemas, by name, with the reasons why one cannot be captured: decided by the very functions
 * that will decide in the source, made for this session only.
 */
export async function readTableFacts(client: ClientBase, schemas: string[]): Promise<TableFacts[]> {
  const rules = (await Promise.all(rulesFiles.map((file) => readFile(file, 'utf8')))).join('')
  await client.query('begin read write')
  try {
    await client.query(rules.replaceAll(/\btidemark\.(?=\w+\()/g, 'pg_temp.'))
    const { rows } = await client.query<TableFacts>(
      `select n.nspname || '.' || c.relname as name,
         greatest(c.reltuples, 0)::float8 as rows,
         pg_table_size(c.oid)::float8 as bytes,
         coalesce(
           (select json_agg(r) from pg_temp.table_refusals(c.oid, '{}', current_user) r),
           '[]'
         ) as refusals
       from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = any ($1)
         and c.relkind = 'r'
         and c.relpersistence <> 't'
       order by name`,
      [schemas],
    )
    return rows
  } finally {
    await client.query('rollback')
  }
}
