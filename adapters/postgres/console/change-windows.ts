// How are the newest changes found without an index of their times? By windows of commit time, walking back.

import type pg from 'pg'
import { BoundValues } from './bound-values.ts'
import { type ChangePlace, isoOfUs, newestFirst, placeRow, placeText } from './change-place.ts'

/** A condition of a search: SQL about a change `c`. It may depend on the window that is looked through. */
export type Condition = (bound: BoundValues, window: TimeWindow) => string

/** Commit times in µs, from `fromUs` and before `untilUs`. */
export type TimeWindow = { readonly fromUs: number; readonly untilUs: number }

/** What is looked for, and how far. */
export type ChangeSearch = TimeWindow & {
  /** Where the first window ends its growth: a time behind which there are hardly any changes. */
  readonly newestUs: number
  /** Only changes that are older than this one. */
  readonly before: ChangePlace | undefined
  /** Conditions that an index of the changes finds, so that other changes of the window cost nothing. */
  readonly byIndex: readonly Condition[]
  readonly conditions: readonly Condition[]
  readonly limit: number
  /** The greatest number of changes that one window looks through. */
  readonly mostMet: number
  /** The length of the first window, where a search goes on. */
  readonly firstSpanUs?: number
}

/** How far a search has come, and how long its next window is. */
export type SearchEnd = { readonly untilUs: number; readonly spanUs: number }

/** The places of changes, newest first. `searched` is null if all that was looked for was seen, or the limit met. */
export type FoundChanges = { readonly places: string[]; readonly searched: SearchEnd | null }

/** The clock in ms, and how long a search goes on. */
export type SearchBudget = { readonly now: () => number; readonly budgetMs: number }

/** How many changes one window looks through: Postgres reads about four million in a second. */
export const MOST_MET = 200_000
/** The shortest window. Changes of one transaction have one commit time, so that no window separates them. */
const leastUs = 1_000
const firstUs = 10_000_000
/** Where an index finds the changes, a window costs little. */
const firstByIndexUs = 86_400_000_000
const growth = 8

/**
 * Looks for changes in windows of commit time, from the newest back, each up to eight times as long as the one before.
 * BRIN and the table partitions by day narrow a window. One that has too many changes is not read but made shorter, and
 * the next one is as long as the number of changes allows, so that the work of each is bounded. When the budget is used
 * up the search ends, and says how far it came.
 */
export async function walkBack(
  database: pg.Pool | pg.ClientBase,
  search: ChangeSearch,
  { now, budgetMs }: SearchBudget,
): Promise<FoundChanges> {
  const places: string[] = []
  const beganMs = now()
  let untilUs = search.before === undefined ? search.untilUs : Math.min(search.untilUs, search.before.atUs + 1)
  let spanUs = search.firstSpanUs ?? (search.byIndex.length > 0 ? firstByIndexUs : firstUs)
  let startUs = Math.min(untilUs, search.newestUs)
  while (untilUs > search.fromUs) {
    const fromUs = Math.max(search.fromUs, startUs - spanUs)
    const isShortest = untilUs - fromUs <= leastUs
    const limit = search.limit - places.length
    const { met, found } = await readWindow(database, search, { fromUs, untilUs }, limit, isShortest)
    if (met >= search.mostMet && !isShortest) {
      spanUs = Math.max(leastUs, Math.floor((untilUs - fromUs) / growth))
      startUs = untilUs
      continue
    }
    places.push(...found)
    if (places.length >= search.limit) return { places, searched: null }
    spanUs = Math.ceil(Math.max(leastUs, spanUs * Math.min(growth, search.mostMet / 2 / Math.max(met, 1))))
    untilUs = startUs = fromUs
    if (untilUs > search.fromUs && now() - beganMs >= budgetMs) return { places, searched: { untilUs, spanUs } }
  }
  return { places, searched: null }
}

async function readWindow(
  database: pg.Pool | pg.ClientBase,
  search: ChangeSearch,
  window: TimeWindow,
  limit: number,
  isShortest: boolean,
): Promise<{ met: number; found: string[] }> {
  const { text, values } = windowStatement(search, window, limit, isShortest)
  const { rows } = await database.query<{ met: number; place: string | null }>({ text, values })
  return { met: rows[0]!.met, found: rows.flatMap(({ place }) => place ?? []) }
}

/** The statement of one window. Tests look at its plan. */
export function windowStatement(
  { before, byIndex, conditions, mostMet }: ChangeSearch,
  window: TimeWindow,
  limit: number,
  isShortest = false,
): { text: string; values: BoundValues['values'] } {
  const bound = new BoundValues()
  const most = bound.bind(isShortest ? Number.MAX_SAFE_INTEGER : mostMet, 'bigint')
  const inWindow = [
    `c.committed_at >= ${bound.bind(isoOfUs(window.fromUs), 'timestamptz')}`,
    `c.committed_at < ${bound.bind(isoOfUs(window.untilUs), 'timestamptz')}`,
    ...byIndex.map((condition) => condition(bound, window)),
  ]
  const wanted = [
    ...inWindow,
    ...conditions.map((condition) => condition(bound, window)),
    ...(before === undefined ? [] : [isOlder(bound, before)]),
    'met.n < '.concat(most),
  ]
  // Without the condition on `met` a window with too many changes would be read and sorted all the same.
  const text = `with met as materialized (
  select count(*) as n
  from (
    select
    from tidemark_rows.change c
    where ${inWindow.join('\n      and ')}
    limit ${isShortest ? '0' : most}
  ) counted
)
select met.n::float8 as met, found.place
from met
left join lateral (
  select ${placeText('f')} as place, row_number() over (order by ${newestFirst('f')}) as turn
  from (
    select c.committed_at, c.epoch, c.lsn, c.op, c.ordinal, c.relation, c.key_hash
    from tidemark_rows.change c
    where ${wanted.join('\n      and ')}
    order by ${newestFirst('c')}
    limit ${bound.bind(limit, 'bigint')}
  ) f
) found on true
order by found.turn`
  return { text, values: bound.values }
}

/** SQL that a change `c` is older than the one at a place. */
export const isOlder = (bound: BoundValues, place: ChangePlace): string =>
  `${placeRow('c')} < ${placeBound(bound, place)}`

/** The values of a place, to be compared with `placeRow`. */
export const placeBound = (
  bound: BoundValues,
  { atUs, epoch, lsn, op, ordinal, relation, keyHash }: ChangePlace,
): string =>
  `(${[
    bound.bind(isoOfUs(atUs), 'timestamptz'),
    bound.bind(epoch, 'integer'),
    bound.bind(lsn, 'bigint'),
    bound.bind(op !== 'd', 'boolean'),
    bound.bind(ordinal, 'bigint'),
    bound.bind(relation, 'bigint'),
    bound.bind(keyHash, 'bigint'),
  ].join(', ')})`
