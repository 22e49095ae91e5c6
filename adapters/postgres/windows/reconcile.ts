import type pg from 'pg'
import { LOCK_CLASSES } from '../session/advisory-locks.ts'
import { prepared, type Statement } from '../session/statement.ts'
import { blamingDefinition, ImageChangedError } from './definition-failure.ts'
import { groupsRangeStatement, groupsStatement } from './group-statements.ts'
import type { DirtyGroups, ImageChange } from './image-statement.ts'
import type { LiveDefinition } from './live-definitions.ts'
import { rangeEndStatement, rangeStatement } from './row-statements.ts'

/** How many rows a transaction reconciles: it keeps the records of the definition waiting for less than a second. */
const chunkSize = 5_000

/** Where the reconciliation of a definition is. */
type Progress = {
  readonly was_shown: boolean
  readonly phase: 'rows' | 'groups' | null
  readonly phase_after: string[] | null
  readonly emitted: string | null
}

/**
 * Makes the image of a definition equal to the rows, a chunk of keys after the other, while records go on; then, of a
 * definition that is not shown yet, computes its groups and shows it. Each chunk is a transaction that has the definition
 * alone, and keeps how far it has come, so that it goes on there after a crash. Stops at the deadline. Returns whether it
 * is complete.
 */
export async function reconcile(pool: pg.Pool, live: LiveDefinition, isOver: () => boolean): Promise<boolean> {
  do {
    if (await inTransaction(pool, (client) => nextChunk(client, live))) return true
  } while (!isOver())
  return false
}

/** Locks the definition, for one transaction that changes what no record has named. */
export async function lockAlone(client: pg.PoolClient, { id }: Pick<LiveDefinition, 'id'>): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1, $2)', [LOCK_CLASSES.windowDefinition, id])
}

/** Runs work in a transaction of its own. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((cause: Error) => {
      broken = cause
    })
    throw error
  } finally {
    client.release(broken)
  }
}

async function nextChunk(client: pg.PoolClient, known: LiveDefinition): Promise<boolean> {
  // A version that is complete is shown, for which definitions are locked. They are locked first wherever a version is
  // locked as well, so that two transactions never wait for each other.
  if (known.stage !== 'shown') await client.query('select tidemark.lock_windows()')
  await lockAlone(client, known)
  const { rows } = await client.query<Progress>(
    `select was_shown, phase, phase_after, (extract(epoch from emitted_until) * 1000000)::bigint::text as emitted
     from tidemark.window_definition
     where id = $1
       and state <> 'stopped'
     for update`,
    [known.id],
  )
  const progress = rows[0]
  if (progress === undefined) return true
  const after = progress.phase_after ?? undefined
  // Another process may have come further since the definition was read.
  const live: LiveDefinition = {
    ...known,
    stage: progress.was_shown ? 'shown' : (progress.phase ?? 'groups'),
    emittedUntil: progress.emitted === null ? undefined : BigInt(progress.emitted),
  }
  if (progress.phase === null) return begin(client, live)
  return blamingDefinition(live, () =>
    progress.phase === 'rows' ? reconcileRows(client, live, after) : computeGroups(client, live, after),
  )
}

/** Begins to reconcile if rows have changed without a record of each. What is marked then is covered. */
async function begin(client: pg.PoolClient, { id }: LiveDefinition): Promise<boolean> {
  const { rowCount } = await client.query(
    `update tidemark.window_definition d
     set phase = 'rows', phase_after = null, rows_done = 0, covers_mark = m.mark
     from (
       select max(m.mark) as mark
       from tidemark.window_mark m
       join tidemark.window_definition o on o.id = $1 and o.relation = m.relation
     ) m
     where d.id = $1
       and m.mark > d.covers_mark`,
    [id],
  )
  return rowCount === 0
}

async function reconcileRows(
  client: pg.PoolClient,
  live: LiveDefinition,
  after: readonly string[] | undefined,
): Promise<boolean> {
  const end = await ask<{ until: string[] }>(client, rangeEndStatement(live, after, chunkSize))
  const until = end[0]?.until
  const [change] = await ask<ImageChange>(client, rangeStatement(live, { after, until }))
  if (change!.changed !== change!.written) throw new ImageChangedError(live.definition.name)
  await computeAgain(client, live, change!)
  if (until !== undefined) {
    await moveTo(client, live, 'rows', until, chunkSize)
    return false
  }
  if (live.stage !== 'shown') await client.query('select tidemark.carry_window($1)', [live.id])
  await moveTo(client, live, live.stage === 'shown' ? null : 'groups', undefined, 0)
  return false
}

async function computeGroups(
  client: pg.PoolClient,
  live: LiveDefinition,
  after: readonly string[] | undefined,
): Promise<boolean> {
  const [part] = await ask<DirtyGroups & { until: string[] | null }>(
    client,
    groupsRangeStatement(live, after, chunkSize),
  )
  await computeAgain(client, live, part!)
  if (part!.until !== null) {
    await moveTo(client, live, 'groups', part!.until, 0)
    return false
  }
  await client.query('select tidemark.show_window($1)', [live.id])
  return true
}

async function computeAgain(client: pg.PoolClient, live: LiveDefinition, dirty: DirtyGroups): Promise<void> {
  if (dirty.starts !== null) await ask(client, groupsStatement(live, dirty))
}

async function moveTo(
  client: pg.PoolClient,
  { id }: LiveDefinition,
  phase: Progress['phase'],
  after: readonly string[] | undefined,
  done: number,
): Promise<void> {
  await client.query(
    `update tidemark.window_definition d
     set phase = $2, phase_after = $3, rows_done = d.rows_done + $4,
       rows_total = (select greatest(c.reltuples, 0) from pg_class c where c.oid = to_regclass(format('tidemark_rows.t%s_%s', d.relation, d.generation)))
     where d.id = $1`,
    [id, phase, after ?? null, done],
  )
  if (phase === null) await client.query('select tidemark.forget_window_marks()')
}

async function ask<Row extends pg.QueryResultRow>(client: pg.PoolClient, statement: Statement): Promise<Row[]> {
  return (await client.query<Row>(prepared(statement))).rows
}
