import type { ClientBase, DatabaseError } from 'pg'

/** SQLSTATE lock_not_available: another session has open DDL on the table. */
const LOCK_NOT_AVAILABLE = '55P03'

/**
 * A table that is not captured yet. `progress` is a text that changes while the snapshot of the table goes on, or
 * while the table waits for a time that comes soon.
 */
export type PendingTable = { relation: string; name: string; state: string; progress: string }

/** Whether a connector is listening. */
export const isListening = (client: ClientBase): Promise<boolean> => ask(client, 'select tidemark.is_listening()')

/** Checks for changes that no event trigger reports. */
export async function catchUp(client: ClientBase): Promise<void> {
  await client.query('select tidemark.catch_up()')
}

/** Takes an advisory lock of the session, and returns false if another session has it. */
export const tryLock = (client: ClientBase, key: number): Promise<boolean> =>
  ask(client, 'select pg_try_advisory_lock($1)', [key])

/** Releases an advisory lock of the session. */
export async function unlock(client: ClientBase, key: number): Promise<void> {
  await client.query('select pg_advisory_unlock($1)', [key])
}

/** Begins a resync of each table. Returns `begun` or the reason why not, by name. */
export async function beginResyncs(client: ClientBase, tables: readonly string[]): Promise<Record<string, string>> {
  const results: Record<string, string> = {}
  for (const table of tables) {
    results[table] = await client.query('select tidemark.resync($1)', [table]).then(
      () => 'begun',
      (error: Error) => error.message,
    )
  }
  return results
}

const STEPS: Readonly<Record<string, string[]>> = {
  // Writers are listed in a transaction after the one that publishes the table, which therefore sees each writer that
  // began before.
  pending: ['select tidemark.publish_table($1)', 'select tidemark.await_writers($1)'],
  'awaiting writers': ['select tidemark.await_writers($1)'],
  snapshotting: ['select tidemark.end_snapshot($1)'],
}

/**
 * A row that is locked is skipped: the open DDL of another session has it, whose event trigger is about to change it.
 */
const NOTE_ERROR = `
  update tidemark.captured_table
  set last_error = $2
  where relation in (select relation from tidemark.captured_table where relation = $1 for update skip locked)`

/**
 * Takes a table one step further. Returns an error, unless it is only that another session holds a lock. Both are noted
 * with the table.
 */
export async function tryStep(client: ClientBase, { relation, state }: PendingTable): Promise<Error | undefined> {
  try {
    for (const statement of STEPS[state]!) await client.query(statement, [relation])
    return undefined
  } catch (error) {
    const { code, message } = error as DatabaseError
    await client.query(NOTE_ERROR, [relation, message])
    return code === LOCK_NOT_AVAILABLE ? undefined : (error as Error)
  }
}

/** The tables that are not captured yet, in the order in which they began to wait. */
export async function uncaptured(client: ClientBase): Promise<PendingTable[]> {
  const { rows } = await client.query<PendingTable>(`
    select relation, schema_name || '.' || table_name as name, state,
      concat_ws(
        ' ', state, seen_marks,
        case when not_before between clock_timestamp() and clock_timestamp() + interval '10 seconds' or is_snapshotted then clock_timestamp() end
      ) as progress
    from tidemark.captured_table
    -- A blocking snapshot reads the table by one statement that names its signal.
    cross join lateral (
      select exists (
        select from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid() and query like '%' || signal_id || '%'
      ) as is_snapshotted
    ) as activity
    where state in ('pending', 'awaiting writers', 'snapshotting')
    order by since, relation`)
  return rows
}

/** The state of each table, by name. */
export async function howFar(client: ClientBase, relations: string[]): Promise<Record<string, string>> {
  const { rows } = await client.query(
    `select schema_name || '.' || table_name as name, state from tidemark.captured_table where relation = any ($1)`,
    [relations],
  )
  return Object.fromEntries(rows.map(({ name, state }) => [name, state]))
}

async function ask<T>(client: ClientBase, statement: string, values: unknown[] = []): Promise<T> {
  const { rows } = await client.query({ text: statement, values, rowMode: 'array' })
  return rows[0]![0]
}
