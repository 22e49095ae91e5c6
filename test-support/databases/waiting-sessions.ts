import type pg from 'pg'

/** How many sessions of a database wait for a lock that another session has. */
export async function countWaiting(database: pg.Pool): Promise<number> {
  const { rows } = await database.query<{ waiting: number }>(
    `select count(*)::integer as waiting
     from pg_stat_activity
     where datname = current_database()
       and cardinality(pg_blocking_pids(pid)) > 0`,
  )
  return rows[0]!.waiting
}
