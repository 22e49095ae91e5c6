import type { ClientBase } from 'pg'

/** The facts in the catalog that decide whether a server can be a source. */
export type SourceFacts = {
  database: string
  user: string
  /** For example 170010 for 17.10. */
  version: number
  versionText: string
  standby: boolean
  /** Whether it is Amazon RDS or Aurora, where settings are changed in a parameter group. */
  rds: boolean
  /**
   * Whether the user may change settings by `alter system`. Otherwise they are changed in a parameter group or a file.
   */
  mayAlterSystem: boolean
  walLevel: string
  slots: number
  slotsUsed: number
  walSenders: number
  walSendersUsed: number
  /** -1 for no limit. */
  slotWalKeepMegabytes: number
  /** A slot that is unused for this time is invalidated; 0 for never. Postgres 18 and later have it. */
  idleSlotTimeoutSeconds: number
  /** The name that Postgres uses, for example `UTF8`. */
  encoding: string
  /** Whether event triggers fire. Since Postgres 17 they can be turned off for the server, a database or a role. */
  eventTriggersFire: boolean
  /**
   * Where event triggers are turned off: a database or a role as quoted names, or both. Empty if it is for the server.
   */
  eventTriggersOffFor: { database: string | null; role: string | null }[]
  captureRoleExists: boolean
  mayCreateInDatabase: boolean
  mayCreateRoles: boolean
  /** Whether the user may grant the right to replicate to a role. */
  mayGrantReplication: boolean
  mayCreateEventTriggers: boolean
  /** The age of the oldest open transaction in seconds, for which creating a slot waits. Null if there is none. */
  oldestTransactionSeconds: number | null
  /** Whether the user can see the transactions of others. */
  seesTransactions: boolean
  /** Prepared transactions that are neither committed nor rolled back, the oldest first. */
  preparedTransactions: { gid: string; database: string; seconds: number }[]
}

const FACTS = `
  select
    current_database() as database,
    current_user as user,
    current_setting('server_version_num')::int as version,
    current_setting('server_version') as "versionText",
    pg_is_in_recovery() as standby,
    to_regrole('rds_superuser') is not null as rds,
    me.rolsuper and to_regrole('rds_superuser') is null as "mayAlterSystem",
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
    to_regrole('tidemark_capture') is not null as "captureRoleExists",
    has_database_privilege(current_database(), 'create') as "mayCreateInDatabase",
    me.rolsuper or me.rolcreaterole as "mayCreateRoles",
    -- Before version 16 only a superuser may; on RDS it is membership of rds_replication.
    me.rolsuper
      or me.rolreplication and current_setting('server_version_num')::int >= 160000
      or coalesce(pg_has_role(to_regrole('rds_superuser'), 'usage'), false)
      or coalesce(pg_has_role(to_regrole('rds_replication'), 'usage with admin option'), false) as "mayGrantReplication",
    me.rolsuper or coalesce(pg_has_role(to_regrole('rds_superuser'), 'usage'), false) as "mayCreateEventTriggers",
    (
      select extract(epoch from max(now() - xact_start))::int
      from pg_stat_activity
      where backend_xid is not null
        and pid <> pg_backend_pid()
    ) as "oldestTransactionSeconds",
    pg_has_role('pg_read_all_stats', 'usage') as "seesTransactions",
    (
      select coalesce(json_agg(json_build_object(
        'gid', gid, 'database', database, 'seconds', extract(epoch from now() - prepared)::int) order by prepared), '[]')
      from pg_prepared_xacts
    ) as "preparedTransactions",
    pg_encoding_to_char(b.encoding) as encoding,
    coalesce(current_setting('event_triggers', true), 'on') = 'on' and not exists (
      select from pg_db_role_setting s cross join unnest(s.setconfig) c
      where s.setdatabase in (0, b.oid) and c ~* '^event_triggers=(of|f|n|0)'
    ) as "eventTriggersFire",
    (
      select coalesce(json_agg(json_build_object(
        'database', case when s.setdatabase <> 0 then quote_ident(b.datname) end,
        'role', case when s.setrole <> 0 then s.setrole::regrole::text end)), '[]')
      from pg_db_role_setting s
      cross join unnest(s.setconfig) c
      where s.setdatabase in (0, b.oid)
        and c ~* '^event_triggers=(of|f|n|0)'
    ) as "eventTriggersOffFor"
  from pg_roles me
  join pg_database b on b.datname = current_database()
  where me.rolname = current_user`

/** Reads the facts of the source. */
export async function readSourceFacts(client: ClientBase): Promise<SourceFacts> {
  const { rows } = await client.query<SourceFacts>(FACTS)
  return rows[0]!
}
