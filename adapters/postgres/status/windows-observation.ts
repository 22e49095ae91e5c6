import type pg from 'pg'
import type { WindowsOfDefinition } from '#core/status/observations.ts'

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
