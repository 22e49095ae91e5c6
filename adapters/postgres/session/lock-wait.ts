import type pg from 'pg'
import { sqlState } from './transient-error.ts'

/**
 * How long a transaction waits for a lock that another session holds. Without it, the role's `lock_timeout` applies.
 * With `asking` the error names the session that holds the lock.
 */
export type LockWait = {
  readonly milliseconds: number
  /** A pool for the query that finds the holder, while the other connection waits. */
  readonly asking?: pg.Pool | undefined
}

/**
 * Another session still held a lock when the wait was over. It is not retried at once, because the lock may be held for
 * hours.
 */
export class LockHeldError extends Error {
  override readonly name = 'LockHeldError'
}

const lockNotAvailable = '55P03'

/** Whether the error says that another session held a lock for longer than the wait. */
export const isLockTimeout = (error: unknown): boolean =>
  error instanceof LockHeldError || sqlState(error) === lockNotAvailable

/** The statement that begins a transaction and sets its lock timeout. */
export const beginStatement = (wait: LockWait | undefined): string =>
  wait === undefined ? 'begin' : `begin; set local lock_timeout = ${Math.ceil(wait.milliseconds)}`

/** Watches what a session waits for. `explain` adds the holder of the lock to a lock timeout. */
export function watchLocks(client: pg.PoolClient, wait: LockWait | undefined) {
  let seen: string | undefined
  const { asking } = wait ?? {}
  // The check runs twice in each wait, so that at least one falls into it.
  const timer =
    asking &&
    setInterval(
      async () => {
        // If the query fails, the error has less detail.
        const found = await describeWait(asking, client).catch(() => undefined)
        seen = found ?? seen
      },
      (wait?.milliseconds ?? 0) / 2,
    )
  return {
    explain(error: unknown): unknown {
      if (wait?.asking === undefined || !isLockTimeout(error)) return error
      const who = seen ?? 'another session has locked what it needs'
      return new LockHeldError(`${who}, for more than ${wait.milliseconds / 1000} s`, { cause: error })
    },
    end: () => clearInterval(timer),
  }
}

/**
 * Describes the lock that is waited for, and the sessions that hold it and do not wait themselves. Sessions in between,
 * such as those of other topic partitions, wait for the same lock. It shows only what any role may see of other
 * sessions.
 */
async function describeWait(asking: pg.Pool, client: pg.PoolClient): Promise<string | undefined> {
  const { processID } = client as pg.PoolClient & { processID: number | null }
  const { rows } = await asking.query<{ what: string; who: string }>(
    `with recursive waiting (pid) as (
       select $1::integer
       union
       select b.pid
       from waiting w
       cross join lateral unnest(pg_blocking_pids(w.pid)) as b (pid)
     ),
     chain as materialized (
       select w.pid, pg_blocking_pids(w.pid) as blockers
       from waiting w
     ),
     holder as materialized (
       select c.pid
       from chain c
       where c.blockers = '{}'
         and c.pid <> $1
     )
     select
       case
         when l.locktype = 'transactionid' then 'a row'
         when l.relation is null then format('a lock (%s)', l.locktype)
         else coalesce(obj_description(l.relation, 'pg_class'), l.relation::regclass::text)
       end as what,
       (
         select string_agg(format('process %s (role %s)', a.pid, a.usename), ' and ' order by a.pid)
         from pg_stat_activity a
         join holder using (pid)
       ) as who
     from chain c
     join pg_locks l on l.pid = c.pid and not l.granted
     where c.blockers && array(select h.pid from holder h)
     order by c.pid <> $1
     limit 1`,
    [processID],
  )
  const [found] = rows
  return found?.who == null ? undefined : `it needs ${found.what}, which ${found.who} has locked`
}
