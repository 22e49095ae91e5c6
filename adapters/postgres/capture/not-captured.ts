import type pg from 'pg'

/** How many tables that the target shows are not captured any more: `tidemark.not_captured` says why. */
export async function countNotCaptured(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ tables: number }>('select count(*)::int as tables from tidemark.not_captured')
  return rows[0]!.tables
}
