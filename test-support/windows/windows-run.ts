import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { makeWindows, NotYetAppliedError, type Windows } from '#adapters/postgres/windows/windows.ts'
import type { ChangeLog } from '../changes/change-log.ts'
import { endOneSession } from '../databases/end-session.ts'
import { lastingPool } from '../databases/lasting-pool.ts'
import { type Choice, makeChoice } from '../histories/choice.ts'
import { putWindow } from './definitions.ts'
import { lifeOfRides, type Ride } from './ride-life.ts'

/** The windows of a definition, those that batch SQL computes from the rows of the source, and those of its topic. */
export type WindowsRunResult = {
  readonly windows: readonly unknown[]
  readonly batch: readonly unknown[]
  readonly topic: readonly unknown[]
}[]

const head = (table: string, window: string, topic: string) => `-- source: public.${table}
-- event time: at
-- window: ${window}
-- watermark: 1 hour
-- publish: ${topic}
`

type RunDefinition = { readonly name: string; readonly text: string; readonly batch: string }

const definitions: readonly RunDefinition[] = [
  {
    name: 'by_zone',
    text: `${head('rides', 'tumbling 1 hour', 'by-zone')}
select zone, count(*) as trips, sum(fare) as earnings, max(at) as last_ride, count(distinct fare) as fares
from rides group by zone;`,
    batch: `select date_bin('1 hour', at, '1970-01-01') as window_start, zone, count(*) as trips, sum(fare) as earnings,
      max(at) as last_ride, count(distinct fare) as fares
    from source_rides where isfinite(at) group by 1, 2`,
  },
  {
    name: 'often',
    text: `${head('rides', 'hopping 1 hour every 25 minutes', 'often')}
select coalesce(zone, -1) % 2 as parity, count(fare) as paid, min(fare) as least
from rides where fare is not null group by parity having count(*) >= 2;`,
    batch: `select start as window_start, coalesce(zone, -1) % 2 as parity, count(fare) as paid, min(fare) as least
    from source_rides, generate_series(0, 2) as n,
      lateral (select date_bin('25 minutes', at, '1970-01-01') - n * interval '25 minutes' as start) s
    where isfinite(at) and fare is not null and start + interval '1 hour' > at
    group by 1, 2 having count(*) >= 2`,
  },
  {
    name: 'calls_by_zone',
    text: `${head('calls', 'tumbling 30 minutes', 'calls-by-zone')}
select zone, count(*) as calls, sum(fare) as earnings
from calls group by zone;`,
    batch: `select date_bin('30 minutes', at, '1970-01-01') as window_start, zone, count(*) as calls, sum(fare) as earnings
    from source_calls where isfinite(at) group by 1, 2`,
  },
  {
    name: 'all_calls',
    text: `${head('calls', 'tumbling 2 hours', 'all-calls')}
select count(*) as calls, max(fare) as most from calls;`,
    batch: `select date_bin('2 hours', at, '1970-01-01') as window_start, count(*) as calls, max(fare) as most
    from source_calls where isfinite(at) group by 1`,
  },
]

/**
 * Delivers a random life of two tables to the latest state and to windows under faults: both get records again after lost
 * answers, zombie invocations bring old batches, the server ends sessions in the middle of transactions, windows run ahead
 * of the latest state, and definitions are added while changes flow. The seed decides everything but the timing.
 */
export async function runWindowsUnderFaults(seed: number, target: pg.Pool): Promise<WindowsRunResult> {
  const choice = makeChoice(seed ^ 0x5eed)
  const topicPartitions = 1 + choice.below(2)
  const life = lifeOfRides(seed, topicPartitions, 150 + choice.below(150))
  const victims = lastingPool({
    ...target.options,
    application_name: 'victim',
    options: '-c plan_cache_mode=force_generic_plan',
  })
  try {
    const added = new Set<string>()
    await Promise.all(
      life.logs.map((log, topicPartition) => deliver({ seed, victims, target, topicPartition, log, added })),
    )
    for (const { name, text } of definitions) if (!added.has(name)) await putWindow({ pool: target }, name, text)
    await settle(makeWindows(target), target)
  } finally {
    await victims.end()
  }
  await storeSource(target, life)
  return Promise.all(definitions.map((definition) => compare(target, definition)))
}

type Delivery = {
  readonly seed: number
  readonly victims: pg.Pool
  readonly target: pg.Pool
  readonly topicPartition: number
  readonly log: ChangeLog
  readonly added: Set<string>
}

async function deliver({ seed, victims, target, topicPartition, log, added }: Delivery): Promise<void> {
  const choice = makeChoice(seed * 31 + topicPartition)
  const place = { topic: 'changes', topicPartition }
  const key = { consumer: 'tidemark-latest-state', ...place }
  const latest = [makeLatestState(victims), makeLatestState(victims)] as const
  const windows = [makeWindows(victims, { waitMs: 20 }), makeWindows(victims, { waitMs: 20 })] as const
  const { records } = log
  let applied = 0
  let taken = 0
  while (taken < records.length) {
    await addDefinitions(target, topicPartition, taken / records.length, choice, added)
    const size = 1 + choice.below(25)
    const running: Promise<unknown>[] = []
    if (applied < records.length && (applied <= taken || choice.chance(60))) {
      const batch = records.slice(applied, applied + 1 + choice.below(25))
      running.push(untilDone(() => latest[choice.below(2)]!.apply(key, batch)))
      if (choice.chance(15)) running.push(ignored(latest[1].apply(key, batch)))
      applied += batch.length
    }
    const batch = records.slice(taken, taken + size)
    const [now, other] = choice.chance(50) ? windows : [windows[1], windows[0]]
    running.push(ignored(now.apply(place, batch)))
    if (choice.chance(20)) running.push(ignored(other.apply(place, batch)))
    if (choice.chance(20))
      running.push(ignored(other.apply(place, records.slice(Math.max(taken - size, 0), taken + 1))))
    if (choice.chance(30)) running.push(ignored(other.maintain(choice.below(2) * 50)))
    if (choice.chance(25)) running.push(endOneSession(target))
    await Promise.all(running)
    taken = await nextOffset(target, topicPartition)
  }
}

/** The first definition is there from the beginning, the others come at some time. */
async function addDefinitions(
  target: pg.Pool,
  topicPartition: number,
  share: number,
  choice: Choice,
  added: Set<string>,
): Promise<void> {
  if (topicPartition > 0) return
  for (const [i, { name, text }] of definitions.entries()) {
    const isDue = i === 0 || share > 0.7 || (share > 0.1 && choice.chance(10))
    if (!isDue || added.has(name)) continue
    added.add(name)
    await untilDone(() => putWindow({ pool: target }, name, text))
  }
}

/** Tries again where a session was ended. */
async function untilDone(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work()
      return
    } catch (error) {
      if (attempt === 20 || !isOfFault(error)) throw error
    }
  }
}

async function ignored(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof NotYetAppliedError) && !isOfFault(error)) throw error
  }
}

const isOfFault = (error: unknown): boolean =>
  error instanceof Error && /terminat|Connection|not queryable|deadlock|closed/i.test(error.message)

async function nextOffset(target: pg.Pool, topicPartition: number): Promise<number> {
  const { rows } = await target.query(
    `select next_offset from tidemark.progress where (consumer, topic_partition) = ('tidemark-windows', $1)`,
    [topicPartition],
  )
  return Number(rows[0]?.next_offset ?? 0)
}

/** Lets windows do what no record does until nothing is left. */
export async function settle(windows: Windows, target: pg.Pool): Promise<void> {
  // A definition that was put while its table was being made looks for it again after five seconds.
  const deadline = Date.now() + 30_000
  for (let each = windows; Date.now() < deadline; each = makeWindows(target)) {
    await each.maintain(10_000)
    await each.apply({ topic: 'changes', topicPartition: 0 }, [])
    const { rows } = await target.query(
      `select exists (
         select
         from tidemark.window_definition d
         where d.state <> 'stopped'
           and (d.state <> 'shown' or d.phase is not null or exists (select from tidemark.unsettled_window)
             or exists (select from tidemark.window_mark m where m.relation = d.relation and m.mark > d.covers_mark))
       ) as waits`,
    )
    if (!rows[0].waits) return
    await pause(20)
  }
  const { rows } = await target.query('select name, state, reason, phase from tidemark.window_status')
  throw new Error(`the windows are not complete: ${JSON.stringify(rows)}`)
}

async function storeSource(
  target: pg.Pool,
  { rides, calls }: { rides: readonly Ride[]; calls: readonly Omit<Ride, 'id'>[] },
) {
  const rows = (some: readonly Omit<Ride, 'id'>[]) =>
    JSON.stringify(
      some.map(({ at, ...row }) => ({
        ...row,
        at: typeof at === 'number' ? new Date(at / 1000).toISOString().slice(0, -1) : at,
      })),
    )
  for (const [name, some] of [
    ['rides', rides],
    ['calls', calls],
  ] as const) {
    await target.query(
      `create table public.source_${name} as
       select * from jsonb_to_recordset($$${rows(some)}$$::jsonb) as r (id bigint, at timestamp, zone integer, fare numeric(12,2))`,
    )
  }
}

async function compare(target: pg.Pool, { name, batch }: RunDefinition): Promise<WindowsRunResult[number]> {
  const { rows: stopped } = await target.query(
    `select name, reason from tidemark.window_status where state = 'stopped'`,
  )
  if (stopped.length > 0) throw new Error(`a definition is stopped: ${JSON.stringify(stopped)}`)
  const { rows: expected } = await target.query(`select to_jsonb(b) as row from (${batch}) as b order by 1`)
  const { rows: found } = await target.query(
    `select to_jsonb(w) - '{window_end,state,late_rows}'::text[] as row from tidemark_windows.${name} w order by 1`,
  )
  // What a compacted topic has once it has had everything that waits to be published: the last value of each key.
  const { rows: last } = await target.query(
    `select record_value::jsonb - '{window_end,late_rows}'::text[] as row
     from (
       select distinct on (record_key) record_value
       from tidemark.window_outbox
       where definition = $1
       order by record_key, seq desc
     ) as o
     where record_value is not null
     order by 1`,
    [name],
  )
  const rowsOf = (rows: readonly { row: unknown }[]) => rows.map(({ row }) => row)
  return { windows: rowsOf(found), batch: rowsOf(expected), topic: rowsOf(last) }
}
