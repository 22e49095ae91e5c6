import type pg from 'pg'
import { sqlState } from './transient-error.ts'

/**
 * How long a transaction waits for a lock that another session has: as long as the role's `lock_timeout` says where nothing
 * is given. With `asking` the error then says who has it.
 */
export type LockWait = {
  readonly milliseconds: number
  /** Asked who has the lock, while the other connection waits for it. */
  readonly asking?: pg.Pool | undefined
}

/** Another session still had a lock when the wait for it was over. Not tried again at once: it may be had for hours. */
export class LockHeld extends Error {
  override readonly name = 'LockHeld'
}

const lockNotAvailable = '55P03'

/** Whether somebody else had a lock for longer than it was waited for. */
export const isLockTimeout = (error: unknown): boolean =>
  error instanceof LockHeld || sqlState(error) === lockNotAvailable

/** Begins a transaction that waits for locks no longer than it is to. */
export const beginStatement = (wait: LockWait | undefined): string =>
  wait === undefined ? 'begin' : `begin; set local lock_timeout = ${Math.ceil(wait.milliseconds)}`

/** Watches what a session waits for. `explain` gives an error of a lock that was not had the name of who has it. */
export function watchLocks(client: pg.PoolClient, wait: LockWait | undefined) {
  let seen: string | undefined
  const { asking } = wait ?? {}
  // Twice in each wait, so that one of them is seen.
  const timer =
    asking &&
    setInterval(
      async () => {
        // Without an answer the error says less.
        const found = await describeWait(asking, client).catch(() => undefined)
        seen = found ?? seen
      },
      (wait?.milliseconds ?? 0) / 2,
    )
  return {
    explain(error: unknown): unknown {
      if (wait?.asking === undefined || !isLockTimeout(error)) return error
      const who = seen ?? 'another session holds what it needs locked'
      return new LockHeld(`${who}, for more than ${wait.milliseconds / 1000} s`, { cause: error })
    },
    end: () => clearInterval(timer),
  }
}

/**
 * What is waited for, and the sessions that have it and wait for nothing themselves: those in between, such as other topic
 * partitions, wait for the same. Only what each role may see of the sessions of others.
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
  return found?.who == null ? undefined : `it needs ${found.what}, which ${found.who} holds locked`
}
