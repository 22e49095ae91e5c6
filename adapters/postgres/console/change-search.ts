// What is a search of changes? Its conditions and times, its budget, and what it has found.

import type { BoundValues } from './bound-values.ts'
import { type Behind, type ChangePlace, type Inside, isoOfUs, parsePlace, placeRow } from './change-place.ts'

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
  /** Where the search goes on inside of a crowded instant. */
  readonly inside?: Inside
  /** Conditions that an index of the changes finds, so that other changes of the window cost nothing. */
  readonly byIndex: readonly Condition[]
  readonly conditions: readonly Condition[]
  readonly limit: number
  /** The greatest number of changes that one window looks through. */
  readonly mostMet: number
  /** The length of the first window, where a search goes on. */
  readonly firstSpanUs?: number
}

/** How far a search has come, and how long its next window is, or where it is inside of an instant. */
export type SearchEnd =
  | { readonly untilUs: number; readonly spanUs: number }
  | { readonly untilUs: number; readonly inside: Inside }

/**
 * The places of changes, newest first. `searched` is null if all that was looked for was seen, or the limit met.
 * `crowded`: the instants (µs) whose changes are in the order of `crowdOrder`.
 */
export type FoundChanges = {
  readonly places: string[]
  readonly searched: SearchEnd | null
  readonly crowded: readonly number[]
}

/** The clock in ms, and how long a search goes on. */
export type SearchBudget = { readonly now: () => number; readonly budgetMs: number }

/** How many changes one window looks through: Postgres reads about four million in a second. */
export const MOST_MET = 200_000

/** Behind a change that was found by a search. */
export function behindOf(place: string, { crowded }: FoundChanges, { before }: Pick<ChangeSearch, 'before'>): Behind {
  const found = parsePlace(place)!
  if (!crowded.includes(found.atUs)) return { before: found }
  return { inside: { after: found, before: before?.atUs === found.atUs ? before : undefined } }
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
