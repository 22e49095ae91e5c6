import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { makeWindows } from '#adapters/postgres/windows/windows.ts'
import type { ChangeLog, Origin } from '../changes/change-log.ts'
import type { TestDatabase } from '../databases/database.ts'
import { settle } from './windows-run.ts'

/** Microseconds since 1970 of a time on 2024-01-01, as Debezium sends a timestamp. */
export const at = (time: string): number => Date.parse(`2024-01-01T${time}Z`) * 1000

/** A row of `public.rides` as Debezium sends it. `time` is on 2024-01-01. */
export const ride = (id: number, time: string | null, zone: number | null, fare: string | null) => ({
  id,
  at: time === null ? null : at(time),
  zone,
  fare,
})

/** The place of a change of `public.rides`, which was committed at noon. */
export const origin = (lsn: number, more: Partial<Origin> = {}): Origin => ({
  table: 'rides',
  committedAtMs: Date.parse('2024-01-01T12:00:00Z'),
  lsn,
  ...more,
})

/** The first lines of a definition over `public.rides`. */
export const ridesHead = (more = '', window = 'tumbling 1 hour'): string => `-- source: public.rides
-- event time: at
-- window: ${window}
-- watermark: 1 hour
${more}`

/** A definition by zone. `more` are further lines of its header. */
export const byZone = (more = '', having = ''): string => `${ridesHead(more)}
select zone, count(*) as trips, sum(fare) as earnings, max(at) as last_ride
from rides
group by zone
${having};`

/**
 * Delivers records to the latest state and then to windows, each in a new process, which has nothing cached. Then lets
 * windows do what no record does.
 */
export async function feed(target: TestDatabase, log: ChangeLog, from = 0, topicPartition = 0) {
  const place = { topic: 'changes', topicPartition }
  const records = log.records.slice(from)
  await makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', ...place }, records)
  const windows = makeWindows(target.pool)
  const outcome = await windows.apply(place, records)
  await windows.maintain(5_000)
  return outcome
}

/** Lets windows do what no record does until nothing is left. */
export const complete = (target: TestDatabase): Promise<void> => settle(makeWindows(target.pool), target.pool)

/** The windows of a definition in short. */
export async function shown({ pool }: TestDatabase, name = 'by_zone'): Promise<unknown[]> {
  const { rows } = await pool.query(
    `select to_char(window_start, 'HH24:MI') as w, zone, trips::integer, earnings, to_char(last_ride, 'HH24:MI') as last, state,
       late_rows::integer as late
     from tidemark_windows.${name}
     order by window_start, zone`,
  )
  return rows
}
