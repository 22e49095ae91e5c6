// How are the newest changes found without an index of their times? By windows of commit time, walking back.

import type pg from 'pg'
import { BoundValues } from './bound-values.ts'
import { isoOfUs, newestFirst, placeText } from './change-place.ts'
import { type ChangeSearch, type FoundChanges, isOlder, type SearchBudget, type TimeWindow } from './change-search.ts'
import { walkInstant } from './crowded-instant.ts'

const firstUs = 10_000_000
/** Where an index finds the changes, a window costs little. */
const firstByIndexUs = 86_400_000_000
const growth = 8

/**
 * Looks for changes in windows of commit time, from the newest back, each up to eight times as long as the one before.
 * BRIN and the table partitions by day narrow a window. One that has too many changes is not read but made shorter, and
 * the next one is as long as the number of changes allows, so that the work of each is bounded. An instant that alone has
 * too many is read by the index of rows. When the budget is used up the search ends, and says how far it came.
 */
export async function walkBack(
  database: pg.Pool | pg.ClientBase,
  search: ChangeSearch,
  { now, budgetMs }: SearchBudget,
): Promise<FoundChanges> {
  const beganMs = now()
  const isOver = () => now() - beganMs >= budgetMs
  const places: string[] = []
  const crowded: number[] = []
  let { untilUs, spanUs, inside } = beginOf(search)
  let startUs = Math.min(untilUs, search.newestUs)
  while (untilUs > search.fromUs) {
    const limit = search.limit - places.length
    const window = inside === undefined ? windowOf(search, startUs, untilUs, spanUs) : instantOf(untilUs)
    const read = inside === undefined ? await readWindow(database, search, window, limit) : undefined
    if (read !== undefined && read.met < search.mostMet) {
      places.push(...read.found)
      const fitting = search.mostMet / 2 / Math.max(read.met, 1)
      spanUs = Math.max(1, Math.ceil(spanUs * Math.min(growth, fitting)))
      untilUs = startUs = window.fromUs
    } else if (read !== undefined && read.oldestUs < untilUs - 1) {
      startUs = untilUs
      spanUs = untilUs - narrowed(window, read)
      continue
    } else {
      const instant = instantOf(untilUs)
      crowded.push(instant.fromUs)
      const { found, last } = await walkInstant(database, search, instant, { inside, limit, isOver })
      places.push(...found)
      if (places.length < search.limit && last !== undefined)
        return { places, crowded, searched: { untilUs, inside: { after: last, before: search.before } } }
      inside = undefined
      untilUs = startUs = instant.fromUs
    }
    if (places.length >= search.limit) return { places, crowded, searched: null }
    if (untilUs > search.fromUs && isOver()) return { places, crowded, searched: { untilUs, spanUs } }
  }
  return { places, crowded, searched: null }
}

type Begin = { untilUs: number; spanUs: number; inside: ChangeSearch['inside'] }

function beginOf({ before, inside, untilUs, firstSpanUs, byIndex }: ChangeSearch): Begin {
  const spanUs = firstSpanUs ?? (byIndex.length > 0 ? firstByIndexUs : firstUs)
  const at = inside?.after.atUs ?? before?.atUs
  if (at === undefined || at >= untilUs) return { untilUs, spanUs, inside: undefined }
  return { untilUs: at + 1, spanUs, inside }
}

const windowOf = ({ fromUs }: ChangeSearch, startUs: number, untilUs: number, spanUs: number): TimeWindow => ({
  fromUs: Math.max(fromUs, Math.min(startUs, untilUs) - spanUs),
  untilUs,
})

const instantOf = (untilUs: number): TimeWindow => ({ fromUs: untilUs - 1, untilUs })

type ReadWindow = {
  readonly met: number
  readonly oldestUs: number
  readonly newestUs: number
  readonly found: string[]
}

/**
 * Where a window that has too many changes begins instead: behind those that were met, which are left to later windows, so
 * that a crowded instant is soon alone in its window.
 */
function narrowed({ fromUs, untilUs }: TimeWindow, { newestUs }: ReadWindow): number {
  const shorter = untilUs - Math.max(1, Math.floor((untilUs - fromUs) / growth))
  return newestUs + 1 < untilUs ? Math.max(shorter, newestUs + 1) : shorter
}

async function readWindow(
  database: pg.Pool | pg.ClientBase,
  search: ChangeSearch,
  window: TimeWindow,
  limit: number,
): Promise<ReadWindow> {
  const { text, values } = windowStatement(search, window, limit)
  const { rows } = await database.query<Omit<ReadWindow, 'found'> & { place: string | null }>({ text, values })
  const { met, oldestUs, newestUs } = rows[0]!
  return { met, oldestUs, newestUs, found: rows.flatMap(({ place }) => place ?? []) }
}

/** The statement of one window. Tests look at its plan. */
export function windowStatement(
  { before, byIndex, conditions, mostMet }: ChangeSearch,
  window: TimeWindow,
  limit: number,
): { text: string; values: BoundValues['values'] } {
  const bound = new BoundValues()
  const most = bound.bind(mostMet, 'bigint')
  const inWindow = [
    `c.committed_at >= ${bound.bind(isoOfUs(window.fromUs), 'timestamptz')}`,
    `c.committed_at < ${bound.bind(isoOfUs(window.untilUs), 'timestamptz')}`,
    ...byIndex.map((condition) => condition(bound, window)),
  ]
  const wanted = [
    ...inWindow,
    ...conditions.map((condition) => condition(bound, window)),
    ...(before === undefined ? [] : [isOlder(bound, before)]),
    `met.n < ${most}`,
  ]
  // Without the condition on `met` a window with too many changes would be read and sorted all the same.
  const text = `with met as materialized (
  select count(*) as n, min(counted.committed_at) as oldest, max(counted.committed_at) as newest
  from (
    select c.committed_at
    from tidemark_rows.change c
    where ${inWindow.join('\n      and ')}
    limit ${most}
  ) counted
)
select met.n::float8 as met, (extract(epoch from met.oldest) * 1000000)::float8 as "oldestUs",
  (extract(epoch from met.newest) * 1000000)::float8 as "newestUs", found.place
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
