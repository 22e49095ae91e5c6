import { parseContract, type TableContract } from '#core/contract.ts'
import type { DatabaseSession } from './database-session.ts'

/** A table whose capture is complete, with its newest contract. */
export type CapturedTable = { relation: string; name: string; contract: TableContract }

/** The tables that are captured, by name. */
export async function readCapturedTables(source: DatabaseSession): Promise<CapturedTable[]> {
  const rows = await source.query<CapturedTable>(`
    select t.relation::text, t.schema_name || '.' || t.table_name as name, newest.contract
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
    order by name`)
  return rows.map((row) => ({ ...row, contract: parseContract(row.contract) }))
}

/** A table of the captured schemas that is not captured, why, and the SQL that changes it. */
export type UncapturedTable = { name: string; why: string; fix: string | null }

/** The tables that are not captured and do not become it by waiting. */
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

/** The tables whose capture is under way, and what each waits for. */
export function readTablesUnderWay(source: DatabaseSession): Promise<{ name: string; why: string }[]> {
  return source.query(`
    select t.schema_name || '.' || t.table_name as name, u.why
    from tidemark.captured_table t
    join tidemark.uncaptured u using (schema_name, table_name)
    where t.state not in ('captured', 'refused')
    order by name`)
}

/** A table whose changes the target no longer applies, and why. */
export type StoppedTable = { relation: string; name: string; reason: string }

/** The tables the target has stopped. */
export function readStoppedTables(target: DatabaseSession): Promise<StoppedTable[]> {
  return target.query<StoppedTable>(`
    select relation::text, schema_name || '.' || table_name as name, reason
    from tidemark.stopped_table
    order by name`)
}
