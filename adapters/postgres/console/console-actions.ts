// What was done through the console? Each action has a row before it begins; what the target does, it does by that row.

import type pg from 'pg'
import type { ActionName, RecordedAction } from '#core/console/actions.ts'

/** An action that is about to begin. */
export type BegunAction = {
  readonly who: string
  readonly action: ActionName
  readonly target: string
  readonly reason: string | null
  readonly appVersion: string
}

/** The recorded actions, newest first, before the action with this number. */
export async function listActions(
  database: pg.Pool,
  before: string | undefined,
  limit: number,
): Promise<RecordedAction[]> {
  const { rows } = await database.query<RecordedAction>(
    `select a.id::text, to_char(a.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, a.who, a.action, a.target,
       a.reason, a.outcome, a.result
     from tidemark.console_action a
     where a.id < coalesce($1::bigint, 9223372036854775807)
     order by a.id desc
     limit $2`,
    [before ?? null, limit],
  )
  return rows
}

/** Records actions and has the target execute its own, as the role tidemark_console_act. */
export function makeActionRecord(database: pg.Pool) {
  const first = async <T>(text: string, values: unknown[]): Promise<T> =>
    (await database.query<{ value: T & {} }>(text, values)).rows[0]!.value
  return {
    /** The row is committed when this resolves with its number. */
    begin: ({ who, action, target, reason, appVersion }: BegunAction): Promise<string> =>
      first('select tidemark.begin_action($1, $2, $3, $4, $5)::text as value', [
        who,
        action,
        target,
        reason,
        appVersion,
      ]),
    /** Executes table.accept, quarantine.retry and quarantine.discard. An error of the database says why it is refused. */
    execute: (id: string): Promise<string> => first('select tidemark.execute_action($1) as value', [id]),
    finish: (id: string, outcome: 'done' | 'refused' | 'failed', result: string): Promise<boolean> =>
      first('select tidemark.finish_action($1, $2, $3) as value', [id, outcome, result]),
  }
}

/** Has the source read the rows of a table again, as its role tidemark_console_act. Returns the names of the tables. */
export async function beginResync(source: pg.Pool, table: string): Promise<string[]> {
  const { rows } = await source.query<{ name: string }>('select tidemark.resync($1) as name', [table])
  return rows.map(({ name }) => name)
}

/** How far the resync of a table can go, before it is asked for. */
export async function readCapturedTable(
  source: pg.Pool,
  table: string,
): Promise<{ state: string; reason: string | null } | undefined> {
  const { rows } = await source.query<{ state: string; reason: string | null }>(
    `select t.state, t.reason
     from tidemark.captured_table t
     where t.schema_name || '.' || t.table_name = $1`,
    [table],
  )
  return rows[0]
}

/** A stopped table, and how many of its changes are in quarantine. */
export type StoppedTable = { readonly reason: string; readonly repair: 'accept' | 'resync'; readonly records: number }

/** Undefined if the table is not stopped. */
export async function readStoppedTable(database: pg.Pool, table: string): Promise<StoppedTable | undefined> {
  const { rows } = await database.query<StoppedTable>(
    `select s.reason, s.repair,
       (select count(*)::float8 from tidemark.quarantine q where q.relation = s.relation and s.relation <> 0) as records
     from tidemark.stopped_table s
     where s.schema_name || '.' || s.table_name = $1
     limit 1`,
    [table],
  )
  return rows[0]
}
