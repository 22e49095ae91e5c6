import { parseContract, type TableContract } from '#core/contract.ts'
import type { DatabaseSession } from './database-session.ts'

/** The newest contract of each table whose capture is complete, in the order of the names. */
export async function readCapturedTables(source: DatabaseSession): Promise<TableContract[]> {
  const rows = await source.query<{ contract: unknown }>(`
    select newest.contract
    from tidemark.captured_table t
    cross join lateral (
      select c.contract
      from tidemark.table_contract c
      where c.relation = t.relation
        and c.slot = 0
      order by c.version desc
      limit 1
    ) as newest
    where t.state = 'captured'
      and not (newest.contract ->> 'dropped')::boolean
    order by t.schema_name collate "C", t.table_name collate "C"`)
  return rows.map(({ contract }) => parseContract(contract))
}

/** A table of the captured schemas that is not captured, the reason, and the SQL that changes it. */
export type UncapturedTable = { name: string; why: string; fix: string | null }

/** The tables that are not captured, and will not be captured by waiting. */
export function readUncapturedTables(source: DatabaseSession): Promise<UncapturedTable[]> {
  return source.query<UncapturedTable>(`
    select schema_name || '.' || table_name as name, why, fix
    from tidemark.uncaptured
    where (schema_name, table_name) not in (
      select schema_name, table_name
      from tidemark.captured_table
      where state <> 'refused'
    )
    order by name`)
}

/** The tables whose rows are not all sent yet, or may not match their contract, and what each waits for. */
export function readTablesUnderWay(source: DatabaseSession): Promise<{ name: string; why: string }[]> {
  return source.query(`
    select t.schema_name || '.' || t.table_name as name,
      case
        when t.state = 'captured' then 'is being captured again'
        when (newest.contract ->> 'generation')::integer > 1 then regexp_replace(u.why, '^is being captured', 'is being captured again')
        else u.why
      end as why
    from tidemark.captured_table t
    left join tidemark.uncaptured u using (schema_name, table_name)
    left join lateral (
      select c.contract
      from tidemark.table_contract c
      where c.relation = t.relation
        and c.slot = 0
      order by c.version desc
      limit 1
    ) as newest on true
    where t.state not in ('captured', 'refused')
      or t.state = 'captured' and not (newest.contract ->> 'dropped')::boolean and not (newest.contract ->> 'complete')::boolean
    union
    select n.nspname || '.' || c.relname, 'waits for a contract that could not be written: ' || f.message
    from tidemark.contract_failure f
    join pg_class c on f.relation = c.oid::bigint
      or f.relation = 0 and c.oid in (select relation::oid from tidemark.captured_table)
    join pg_namespace n on n.oid = c.relnamespace
    union
    select t.schema_name || '.' || t.table_name, 'waits for a contract that says how a type was altered meanwhile'
    from tidemark.captured_table t
    where t.relation::oid in (select tidemark.outdated_relations())
    order by name`)
}

/** A table whose changes the target no longer applies, and the reason. */
export type StoppedTable = { relation: string; name: string; reason: string }

/** The tables that are stopped in the target. */
export function readStoppedTables(target: DatabaseSession): Promise<StoppedTable[]> {
  return target.query<StoppedTable>(`
    select relation::text, schema_name || '.' || table_name as name, reason
    from tidemark.stopped_table
    order by name`)
}

/** Names of tables that the target shows from captured rows and that the source does not have. */
export async function readTablesOnlyInTarget({ source, target }: Sessions): Promise<string[]> {
  const shown = await target.query<{ schema: string; name: string }>(`
    select distinct n.nspname as schema, v.relname as name
    from pg_depend d
    join pg_rewrite r on r.oid = d.objid
    join pg_class v on v.oid = r.ev_class
    join pg_namespace n on n.oid = v.relnamespace
    join pg_class rows on rows.oid = d.refobjid
    where d.classid = 'pg_rewrite'::regclass
      and d.refclassid = 'pg_class'::regclass
      and rows.relnamespace = (select oid from pg_namespace where nspname = 'tidemark_rows')
      and rows.relname ~ '^t\\d+(_\\d+)?$'
      and n.nspname not in ('tidemark', 'tidemark_rows')`)
  const absent = await source.query<{ name: string }>(
    `select wanted.schema || '.' || wanted.name as name
    from unnest($1::text[], $2::text[]) as wanted (schema, name)
    where to_regclass(format('%I.%I', wanted.schema, wanted.name)) is null
    order by 1`,
    [shown.map(({ schema }) => schema), shown.map(({ name }) => name)],
  )
  return absent.map(({ name }) => name)
}

type Sessions = { source: DatabaseSession; target: DatabaseSession }
