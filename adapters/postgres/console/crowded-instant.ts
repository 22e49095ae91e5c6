/**
 * How are changes found in an instant that has too many to be sorted, such as the rows of a large snapshot? By the index of
 * rows, in the order of their keys. The index has the other changes of the day too, so that each step looks at a bounded
 * number of its entries, and a search goes on behind the last one that it has looked at.
 */

import type pg from 'pg'
import { BoundValues } from './bound-values.ts'
import { type ChangePlace, crowdOrder, type Inside, isoOfUs, parsePlace, placeText } from './change-place.ts'
import { type ChangeSearch, isOlder, type TimeWindow } from './change-search.ts'

/** How many entries one step looks at. With many more the planner would rather sort the whole day. */
const [firstLooked, mostLooked] = [500, 2_000]

const dayUs = 86_400_000_000

/** How much of the instant is read: from a change on, up to a number of changes, or until the budget is used up. */
export type InstantWalk = {
  readonly inside: Inside | undefined
  readonly limit: number
  readonly isOver: () => boolean
}

/** The places that were found, and the last change that was looked at; undefined at the end of the instant. */
export type InstantPart = { readonly found: string[]; readonly last: ChangePlace | undefined }

/** Looks for changes in one instant. It makes at least one step. */
export async function walkInstant(
  database: pg.Pool | pg.ClientBase,
  search: ChangeSearch,
  instant: TimeWindow,
  { inside, limit, isOver }: InstantWalk,
): Promise<InstantPart> {
  const found: string[] = []
  let last = inside?.after
  for (let most = firstLooked; ; most = Math.min(mostLooked, most * 2)) {
    const { text, values } = instantStatement(search, instant, { after: last, limit: limit - found.length, most })
    const { rows } = await database.query<{ looked: number; last: string | null; place: string | null }>({
      text,
      values,
    })
    found.push(...rows.flatMap(({ place }) => place ?? []))
    const [{ looked, last: lookedAt }] = rows as [(typeof rows)[number]]
    if (looked < most) return { found, last: undefined }
    last = parsePlace(lookedAt!)
    if (found.length >= limit || isOver()) return { found, last }
  }
}

type Step = { readonly after: ChangePlace | undefined; readonly limit: number; readonly most: number }

/** The statement of one step. Tests look at its plan. */
export function instantStatement(
  { before, byIndex, conditions }: ChangeSearch,
  instant: TimeWindow,
  { after, limit, most }: Step,
): { text: string; values: BoundValues['values'] } {
  const bound = new BoundValues()
  const day = Math.floor(instant.fromUs / dayUs) * dayUs
  // The day and not the instant: with its time, all changes of the instant would be read and sorted. The array keeps the
  // planner from taking the two times for a short period, of which it would read and sort everything as well.
  const looked = [
    `c.committed_at >= ${bound.bind(isoOfUs(day), 'timestamptz')}`,
    `c.committed_at < any (array[${bound.bind(isoOfUs(day + dayUs), 'timestamptz')}])`,
    ...byIndex.map((condition) => condition(bound, instant)),
    ...(after === undefined ? [] : [isBehind(bound, after)]),
  ]
  const wanted = [
    `c.committed_at = ${bound.bind(isoOfUs(instant.fromUs), 'timestamptz')}`,
    ...conditions.map((condition) => condition(bound, instant)),
    ...(before === undefined ? [] : [isOlder(bound, before)]),
  ]
  const text = `with looked as materialized (
  select c.*
  from tidemark_rows.change c
  where ${looked.join('\n    and ')}
  order by c.key_hash desc, c.ordinal desc
  fetch first (${bound.bind(most, 'bigint')}) rows with ties
)
select (select count(*)::float8 from looked) as looked,
  (select ${placeText('l')} from looked l order by ${crowdOrder('l', 'asc')} limit 1) as last, found.place
from (select) one
left join lateral (
  select ${placeText('f')} as place, row_number() over (order by ${crowdOrder('f')}) as turn
  from (
    select c.committed_at, c.epoch, c.lsn, c.op, c.ordinal, c.relation, c.key_hash
    from looked c
    where ${wanted.join('\n      and ')}
    order by ${crowdOrder('c')}
    limit ${bound.bind(limit, 'bigint')}
  ) f
) found on true
order by found.turn`
  return { text, values: bound.values }
}

/** Behind a change in the order of `crowdOrder`. The first two columns are those of the index. */
const isBehind = (bound: BoundValues, { keyHash, ordinal, epoch, lsn, op, relation }: ChangePlace): string =>
  `(c.key_hash, c.ordinal, c.epoch, c.lsn, (c.op <> 'd'), c.relation) < (${[
    bound.bind(keyHash, 'bigint'),
    bound.bind(ordinal, 'bigint'),
    bound.bind(epoch, 'integer'),
    bound.bind(lsn, 'bigint'),
    bound.bind(op !== 'd', 'boolean'),
    bound.bind(relation, 'bigint'),
  ].join(', ')})`
