import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'

/**
 * Waits until every captured table has been read, according to the source, or until `deadline`, and reports how many
 * have. After the deadline, the comparison says what they wait for.
 */
export async function waitUntilReadAgain(
  source: pg.ClientBase,
  { deadline, onProgress }: { deadline: number; onProgress: (what: string) => void },
): Promise<void> {
  for (;;) {
    const { rows } = await source.query<{ tables: number; captured: number; waiting: string | null }>(
      `select count(*)::int as tables, count(*) filter (where state = 'captured')::int as captured,
         min(schema_name || '.' || table_name || ' is ' || state) filter (where state <> 'captured') as waiting
       from tidemark.captured_table
       where state <> 'refused'`,
    )
    const { tables, captured, waiting } = rows[0]!
    if (captured === tables || Date.now() >= deadline) return
    onProgress(`${captured} of ${tables} tables are captured again; ${waiting}`)
    await pause(250)
  }
}
