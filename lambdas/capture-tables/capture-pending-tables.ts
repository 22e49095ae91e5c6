import type { ClientBase, DatabaseError, Pool } from 'pg'
import { ADVISORY_LOCKS } from '#adapters/postgres/session/advisory-locks.ts'

/**
 * What a run came to; `tables` says how far each table is that was not captured when it began, `resync` what came of
 * each table that was asked for: `begun`, or why not.
 */
export type CaptureSummary = { resync?: Record<string, string> } & (
  | { outcome: 'another run will see to it' }
  | { outcome: 'no connector listens yet' }
  | { outcome: 'done'; tables: Record<string, string> }
)

/** `now` in milliseconds. */
export type CaptureOptions = { source: Pool; now: () => number; pause: (ms: number) => Promise<void> }

/** One run works and one waits for it; a further one would only repeat the look that the waiting one is about to take. */
const { captureWorking: WORKING, captureWaiting: WAITING } = ADVISORY_LOCKS

/** A run that sees nothing move for so long leaves the rest to the next. */
const PATIENCE_MS = 5_000

/** SQLSTATE lock_not_available: DDL of somebody else on the table is open. */
const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Has the tables of `resync` read again. Takes pending tables into the publication, waits for their writers, and has Debezium read those that hold rows.
 * A run ends when nothing is left, when nothing has moved for five seconds, or at `deadline`; runs may overlap.
 * Throws an AggregateError when steps failed for another reason than a lock, after the other tables went on.
 */
export function makeCapturePendingTables({ source, now, pause }: CaptureOptions) {
  return async (deadline: number, resync: readonly string[] = []): Promise<CaptureSummary> => {
    const clock = { now, pause, deadline }
    const client = await source.connect()
    try {
      const begun = resync.length === 0 ? {} : { resync: await beginResyncs(client, resync) }
      if (!(await takeTurn(client, clock))) return { ...begun, outcome: 'another run will see to it' }
      if (!(await ask<boolean>(client, 'select tidemark.is_listening()')))
        return { ...begun, outcome: 'no connector listens yet' }
      await client.query('select tidemark.catch_up()')
      return { ...begun, outcome: 'done', tables: await captureAll(client, clock) }
    } finally {
      // The turn is a lock of the session: it ends with it, whatever happened.
      client.release(true)
    }
  }
}

async function beginResyncs(client: ClientBase, tables: readonly string[]): Promise<Record<string, string>> {
  const results: Record<string, string> = {}
  for (const table of tables) {
    results[table] = await client.query('select tidemark.resync($1)', [table]).then(
      () => 'begun',
      (error: Error) => error.message,
    )
  }
  return results
}

async function takeTurn(client: ClientBase, { now, pause, deadline }: Clock): Promise<boolean> {
  const lock = (key: number) => ask<boolean>(client, 'select pg_try_advisory_lock($1)', [key])
  if (!(await lock(WAITING))) return false
  while (!(await lock(WORKING))) {
    if (now() >= deadline) return false
    await pause(50)
  }
  await client.query('select pg_advisory_unlock($1)', [WAITING])
  return true
}

type Clock = Omit<CaptureOptions, 'source'> & { deadline: number }
/** `progress` changes as Debezium goes on with reading the table, and while it waits for a moment that comes soon. */
type Table = { relation: string; name: string; state: string; progress: string }

async function captureAll(client: ClientBase, { now, pause, deadline }: Clock): Promise<Record<string, string>> {
  const met = new Map<string, Table>()
  const errors = new Map<string, Error>()
  for (let movedAt = now(); now() < Math.min(deadline, movedAt + PATIENCE_MS); await pause(50)) {
    // What failed is tried again by the next run, not over and over by this one.
    const failed = ({ relation, name, state }: Table) =>
      errors.has(name) || (state === 'pending' && met.get(relation)?.state === 'reading')
    const tables = (await uncaptured(client)).filter((table) => !failed(table))
    if (tables.length === 0) break
    for (const table of tables) {
      if (met.get(table.relation)?.progress !== table.progress) movedAt = now()
      met.set(table.relation, table)
      const error = await tryStep(client, table)
      if (error !== undefined) errors.set(table.name, error)
    }
  }
  if (errors.size > 0) {
    const messages = [...errors].map(([name, error]) => `${name}: ${error.message}`)
    throw new AggregateError(errors.values(), `not every table could be captured. ${messages.join('; ')}`)
  }
  return howFar(client, [...met.keys()])
}

const STEPS: Readonly<Record<string, string[]>> = {
  // Writers are listed in a transaction after the one that publishes: it sees each that began before.
  pending: ['select tidemark.publish_table($1)', 'select tidemark.await_writers($1)'],
  'awaiting writers': ['select tidemark.await_writers($1)'],
  reading: ['select tidemark.end_reading($1)'],
}

/** Somebody's open DDL may hold the table's entry: then its trigger is about to change it anyway. */
const NOTE_ERROR = `
  update tidemark.captured_table
  set last_error = $2
  where relation in (select relation from tidemark.captured_table where relation = $1 for update skip locked)`

/** An error other than a lock held by somebody is handed back; both are noted with the table. */
async function tryStep(client: ClientBase, { relation, state }: Table): Promise<Error | undefined> {
  try {
    for (const statement of STEPS[state]!) await client.query(statement, [relation])
    return undefined
  } catch (error) {
    const { code, message } = error as DatabaseError
    await client.query(NOTE_ERROR, [relation, message])
    return code === LOCK_NOT_AVAILABLE ? undefined : (error as Error)
  }
}

async function uncaptured(client: ClientBase): Promise<Table[]> {
  const { rows } = await client.query<Table>(`
    select relation, schema_name || '.' || table_name as name, state,
      concat_ws(
        ' ', state, seen_marks,
        case when not_before between clock_timestamp() and clock_timestamp() + interval '10 seconds' or is_being_read then clock_timestamp() end
      ) as progress
    from tidemark.captured_table
    -- A reading all at once is one statement that names its signal.
    cross join lateral (
      select exists (
        select from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid() and query like '%' || signal_id || '%'
      ) as is_being_read
    ) as activity
    where state in ('pending', 'awaiting writers', 'reading')
    order by since, relation`)
  return rows
}

async function howFar(client: ClientBase, relations: string[]): Promise<Record<string, string>> {
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
