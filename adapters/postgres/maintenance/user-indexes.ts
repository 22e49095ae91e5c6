import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { LOCK_CLASSES } from '../session/advisory-locks.ts'
import { isTransient, sqlState } from '../session/transient-error.ts'

/** A declared index on the rows of one generation of a table. An index of no table has no rows and no `madeAs`. */
export type UserIndex = {
  /** The table or the parent that the index was declared on, as the source calls it now. */
  readonly table: string
  readonly name: string
  /** What follows the name of the table in `create index`, with the names of the source. */
  readonly definition: string
  /** The name of the index in the schema `tidemark_rows`. */
  readonly madeAs: string | null
  readonly state: 'made' | 'being made' | 'missing' | 'unfinished' | 'does not fit' | 'no table'
  /** Why it is not made, where an attempt has shown it. */
  readonly problem: string | null
}

type IndexToMake = UserIndex & { madeAs: string; relationIndex: number; rowsName: string; madeBy: string }

const columns = `schema_name || '.' || table_name as table, index_name as name, definition, made_as as "madeAs", state, problem`

/** The declared indexes, of one table if it is given. */
export async function listIndexes(
  client: Pick<pg.ClientBase, 'query'>,
  table: string | null = null,
): Promise<UserIndex[]> {
  const { rows } = await client.query<UserIndex>(
    `select ${columns}
     from tidemark.user_index_state
     where schema_name || '.' || table_name = coalesce($1, schema_name || '.' || table_name)
     order by 1, 2, relation, generation`,
    [table],
  )
  return rows
}

/** The names of the tables and parents that an index can be declared on. */
export async function indexableTables(client: Pick<pg.ClientBase, 'query'>): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct schema_name || '.' || table_name as name from tidemark.indexable_tables()`,
  )
  return rows.map(({ name }) => name)
}

/** Declares an index, and returns its name. Errors of the database say what is wrong with the definition. */
export async function declareIndex(
  client: pg.ClientBase,
  { table, definition, name }: { table: string; definition: string; name: string | undefined },
): Promise<string> {
  const declared = await client.query<{ id: string }>('select tidemark.declare_index($1, $2, $3) as id', [
    table,
    definition,
    name ?? null,
  ])
  const { rows } = await client.query<{ name: string }>(
    'select index_name as name from tidemark.user_index where id = $1',
    [declared.rows[0]!.id],
  )
  return rows[0]!.name
}

/** Forgets a declared index and drops what was made of it, without blocking anything. */
export async function removeIndex(client: pg.ClientBase, table: string, name: string): Promise<void> {
  await client.query('select tidemark.forget_index($1, $2)', [table, name])
  const { rows } = await client.query<{ name: string }>('select made_as as name from tidemark.undeclared_index')
  for (const { name: madeAs } of rows) await dropOrLeave(client, madeAs)
}

/** The sessions that make indexes: one that makes them, and one that watches whether anybody waits for it. */
export type MakingSessions = { readonly making: pg.Client; readonly watching: pg.ClientBase }

/**
 * Makes the declared indexes that are missing, of one table if it is given, while changes go on being applied. A change
 * of the table itself goes first: the index is begun again after it. Why an index cannot be made is noted as its
 * problem. Returns the indexes in the state that they have then.
 */
export async function makeMissingIndexes(
  sessions: MakingSessions,
  table: string | null,
  onProgress: (index: UserIndex) => void,
): Promise<UserIndex[]> {
  const { making } = sessions
  const tried = new Set<string>()
  for (;;) {
    // A generation may have begun, or a table may have come, while the indexes before were made.
    const index = (await indexesToMake(making, table)).find(({ madeAs }) => !tried.has(madeAs))
    if (index === undefined) return listIndexes(making, table)
    tried.add(index.madeAs)
    const lock = [LOCK_CLASSES.madeIndex, index.madeAs]
    const held = await making.query<{ got: boolean }>('select pg_try_advisory_lock($1, hashtext($2)) as got', lock)
    // Another session is making it.
    if (!held.rows[0]!.got) continue
    try {
      onProgress(index)
      await makeIndex(sessions, index)
    } finally {
      await making.query('select pg_advisory_unlock($1, hashtext($2))', lock)
    }
  }
}

async function indexesToMake(
  client: pg.ClientBase,
  table: string | null,
  relationIndex: number | null = null,
): Promise<IndexToMake[]> {
  const { rows } = await client.query<IndexToMake>(
    `select ${columns}, relation_index::int as "relationIndex", rows_name as "rowsName", made_by as "madeBy"
     from tidemark.user_index_state
     where made_by is not null
       and state <> 'made'
       and schema_name || '.' || table_name = coalesce($1, schema_name || '.' || table_name)
       and relation_index = coalesce($2, relation_index)
     order by 1, 2, relation, generation`,
    [table, relationIndex],
  )
  return rows
}

/** How often an index is begun that gave way to changes of its table. */
const attempts = 20

async function makeIndex({ making, watching }: MakingSessions, { relationIndex, madeAs }: IndexToMake): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    // What it is made on may have changed since: the generation may be gone, or maintenance may have made the index.
    const index = (await indexesToMake(making, null, relationIndex)).find((each) => each.madeAs === madeAs)
    if (index === undefined) return
    const watch = giveWay(watching, making, index.rowsName)
    try {
      await dropConcurrently(making, index.madeAs)
      await making.query(`create index concurrently ${index.madeBy}`)
      await watch.end()
      await analyzeExpressions(making, index)
      await noteProblem(making, index, null)
      return
    } catch (error) {
      await watch.end()
      if (isOfSession(error)) throw error
      if (mayPass(error) && attempt < attempts) await pause(100 * attempt)
      else {
        await noteProblem(making, index, (error as Error).message)
        await dropOrLeave(making, index.madeAs)
        return
      }
    }
  }
}

/** Whether the session cannot be used any more, so that no other attempt makes sense. */
const isOfSession = (error: unknown): boolean => sqlState(error) === undefined

/** Whether the index gave way to another session, or the generation was dropped meanwhile. */
const mayPass = (error: unknown): boolean =>
  isTransient(error) || sqlState(error) === cancelled || sqlState(error) === undefinedTable

const cancelled = '57014'
const undefinedTable = '42P01'

/** How long somebody waits for the table before the index gives way, in milliseconds. */
const patienceMs = 300

/**
 * Cancels what a session does while another one has waited for a lock on the rows for a while, as a change of the table
 * in the source needs it. Otherwise its topic partition would be stopped until the index is made.
 */
function giveWay(watching: pg.ClientBase, making: pg.Client, rowsName: string): { end: () => Promise<void> } {
  const { processID } = making as pg.Client & { processID: number | null }
  const stop = new AbortController()
  const watched = (async () => {
    while (!stop.signal.aborted) {
      await watching.query(
        `select pg_cancel_backend($1)
         where exists (
           select
           from pg_locks l
           where l.relation = to_regclass(format('tidemark_rows.%I', $2::text))
             and not l.granted
             and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
             and l.waitstart < clock_timestamp() - $3 * interval '1 millisecond'
             and $1 = any (pg_blocking_pids(l.pid))
         )`,
        [processID, rowsName, patienceMs],
      )
      await pause(patienceMs / 2, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  })()
  // An error of the watching session is reported when the watch ends.
  watched.catch(() => undefined)
  return {
    end: async () => {
      stop.abort()
      await watched
    },
  }
}

/** Postgres has no statistics of an expression before the table is analyzed. */
async function analyzeExpressions(client: pg.ClientBase, { madeAs, rowsName }: IndexToMake): Promise<void> {
  const { rowCount } = await client.query(
    `select from pg_index where indexrelid = to_regclass(format('tidemark_rows.%I', $1::text)) and indexprs is not null`,
    [madeAs],
  )
  if (rowCount === 1) await client.query(`analyze tidemark_rows.${client.escapeIdentifier(rowsName)}`)
}

const noteProblem = (client: pg.ClientBase, { relationIndex }: IndexToMake, problem: string | null) =>
  client.query('select tidemark.note_index_problem($1, $2)', [relationIndex, problem])

const dropConcurrently = (client: pg.ClientBase, madeAs: string) =>
  client.query(`drop index concurrently if exists tidemark_rows.${client.escapeIdentifier(madeAs)}`)

/**
 * Drops an index. Where it would wait for a session that waits for it, it stays: maintenance drops an index that is not
 * declared, and one that is unfinished is dropped before it is made again.
 */
async function dropOrLeave(client: pg.ClientBase, madeAs: string): Promise<void> {
  try {
    await dropConcurrently(client, madeAs)
  } catch (error) {
    if (isOfSession(error) || !mayPass(error)) throw error
  }
}
