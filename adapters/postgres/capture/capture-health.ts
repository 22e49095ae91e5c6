import type pg from 'pg'
import type { CaptureState } from '#core/recovery/diagnosis.ts'
import type { Restarts } from '#core/recovery/restart-backoff.ts'

/** The result of the last look at capture. */
export type CaptureHealth = {
  readonly state: CaptureState
  readonly cause: string | null
  readonly follows: string | null
  /** The command that repairs capture; null if waiting is enough. */
  readonly command: string | null
}

/** How often the failed task was restarted, as of the last look at capture. */
export async function readRestarts(target: pg.Pool): Promise<Restarts> {
  const { rows } = await target.query<{ count: number; lastMs: number | null }>(
    `select restarts as count, (extract(epoch from restarted_at) * 1000)::float8 as "lastMs"
     from tidemark.capture_health`,
  )
  return rows[0] ?? { count: 0, lastMs: null }
}

/** Replaces the result of the last look at capture. `since` stays unchanged while the state does. */
export async function writeHealth(target: pg.Pool, health: CaptureHealth, restarts: Restarts): Promise<void> {
  await target.query(
    `insert into tidemark.capture_health as h
       (state, cause, follows, command, since, checked_at, restarts, restarted_at)
     values ($1, $2, $3, $4, clock_timestamp(), clock_timestamp(), $5, to_timestamp($6::double precision / 1000))
     on conflict (only_row) do update
     set state = excluded.state,
       cause = excluded.cause,
       follows = excluded.follows,
       command = excluded.command,
       since = case when h.state = excluded.state then h.since else excluded.since end,
       checked_at = excluded.checked_at,
       restarts = excluded.restarts,
       restarted_at = excluded.restarted_at`,
    [health.state, health.cause, health.follows, health.command, restarts.count, restarts.lastMs],
  )
}

/** The lock belongs to the session. It ends with the connection, also if the function is killed. */
const LOCK = `hashtextextended('tidemark.recover-capture', 0)`

/** Does the work. If another session is looking at capture or repairing it, does nothing and returns undefined. */
export async function withCaptureLock<T>(target: pg.Pool, work: () => Promise<T>): Promise<T | undefined> {
  const client = await target.connect()
  try {
    const { rows } = await client.query<{ locked: boolean }>(`select pg_try_advisory_lock(${LOCK}) as locked`)
    if (!rows[0]!.locked) return undefined
    try {
      return await work()
    } finally {
      await client.query(`select pg_advisory_unlock(${LOCK})`)
    }
  } finally {
    client.release()
  }
}
