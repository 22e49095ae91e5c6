import type pg from 'pg'

/** Ends a session of the application `victim` that is in the middle of a transaction, if there is one. */
export async function endOneSession(database: pg.Pool): Promise<undefined> {
  await database.query(
    `select pg_terminate_backend(pid)
     from pg_stat_activity
     where datname = current_database()
       and application_name = 'victim'
       and state <> 'idle'
     limit 1`,
  )
  return undefined
}
