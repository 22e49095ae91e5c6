import type pg from 'pg'

/**
 * The number of tables that the target shows and that are no longer captured; `tidemark.not_captured` has the reasons.
 */
export async function countNotCaptured(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ tables: number }>('select count(*)::int as tables from tidemark.not_captured')
  return rows[0]!.tables
}
