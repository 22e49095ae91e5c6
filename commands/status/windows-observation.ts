import type pg from 'pg'

/** A version of a definition of windows, and what is in its windows. Counts are null until it has any. */
export type WindowsOfDefinition = {
  name: string
  state: 'awaiting table' | 'backfilling' | 'shown' | 'stopped'
  /** Why it is stopped, or what it waits for. */
  reason: string | null
  /** Windows with a group that has rows, by state. */
  open: number | null
  final: number | null
  revised: number | null
  closed: number | null
  /** Rows that came too late, that are too far ahead, and that have no event time. */
  late: number | null
  future: number | null
  nullTimes: number | null
  /** The event time up to which windows are complete, such as `2025-12-01 10:00`. */
  watermark: string | null
  /** The part of the rows that are read, while it is backfilled or reconciled. */
  percent: number | null
  /** Since when it is in this state, in ISO 8601. */
  since: string
  /** Why its topic does not have all of it. */
  publishing: string | null
}

const statement = `
select s.name, s.state, s.reason, s.open::float8 as open, s.final::float8 as final, s.revised::float8 as revised,
  s.closed::float8 as closed, s.late::float8 as late, s.future::float8 as future, s.null_times::float8 as "nullTimes",
  to_char(s.watermark, 'YYYY-MM-DD HH24:MI') as watermark,
  case
    when s.phase is not null and s.rows_total > 0
      then floor(least(s.rows_done, s.rows_total) * 100.0 / s.rows_total)::float8
  end as percent,
  to_json(s.since)#>>'{}' as since,
  coalesce(k.problem, o.refused) as publishing
from tidemark.window_status s
join tidemark.window_definition d using (id)
left join tidemark.window_topic k on k.topic = d.definition ->> 'publish'
left join lateral (
  select format('%s of its values: %s', count(*), min(r.refused)) as refused
  from tidemark.window_outbox r
  where r.topic = d.definition ->> 'publish'
    and r.refused_at is not null
  having count(*) > 0
) o on true
order by s.name, s.id`

/** Reads the definitions as a role that may read, the version that is shown before one that will replace it. */
export async function readWindows(target: pg.Pool | pg.ClientBase): Promise<WindowsOfDefinition[]> {
  return (await target.query<WindowsOfDefinition>(statement)).rows
}

/** All groups are counted, so the pause is so many times as long as that took: it takes a twentieth of a core at most. */
const PAUSES = 20

/** Observes the definitions again when the pause is over; until then it returns what was seen last. */
export function makeObserveWindows(
  read: () => Promise<WindowsOfDefinition[]>,
  now: () => number,
): () => Promise<WindowsOfDefinition[]> {
  let last: { readonly seen: WindowsOfDefinition[]; readonly untilMs: number } | undefined
  return async () => {
    const beganMs = now()
    if (last !== undefined && beganMs < last.untilMs) return last.seen
    const seen = await read()
    const endedMs = now()
    last = { seen, untilMs: endedMs + PAUSES * (endedMs - beganMs) }
    return seen
  }
}
