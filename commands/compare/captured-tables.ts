import { parseContract, type TableContract } from '#core/contract.ts'
import type { DatabaseSession } from './database-session.ts'

/** How far the capture of a table is. */
export type CapturedTable = {
  relation: string
  /** `schema.table`. */
  name: string
  state: 'pending' | 'awaiting writers' | 'reading' | 'captured' | 'refused'
  /** Why it is refused, or why its capture does not go on. */
  reason: string | null
  /** The SQL that lets it be captured. */
  fix: string | null
  /** Its newest contract; null while there is none. */
  contract: TableContract | null
}

/** Every table the source captures, is about to capture, or refuses to. */
export async function readCapturedTables(source: DatabaseSession): Promise<CapturedTable[]> {
  const rows = await source.query<CapturedTable>(`
    select t.relation::text, t.schema_name || '.' || t.table_name as name, t.state, t.reason, t.fix, newest.contract
    from tidemark.captured_table t
    left join lateral (
      select c.contract
      from tidemark.table_contract c
      where c.relation = t.relation
        and c.slot = 0
      order by c.version desc
      limit 1
    ) as newest on true
    order by name`)
  return rows.map((row) => ({ ...row, contract: row.contract && parseContract(row.contract) }))
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
