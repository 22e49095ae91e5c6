/** What a live list shows: items, and gaps where more have come than were sent. */
export type TailEntry<T> =
  | { readonly kind: 'item'; readonly item: T }
  | { readonly kind: 'gap'; readonly number: number; readonly skipped: number }

/** A live list, newest first. `skipped` and `seen` count since it began. */
export type Tail<T> = {
  readonly entries: readonly TailEntry<T>[]
  readonly cursor: string | null
  readonly skipped: number
  readonly seen: number
}

export const EMPTY_TAIL: Tail<never> = { entries: [], cursor: null, skipped: 0, seen: 0 }

/** The most entries that a live list keeps, so that it takes the same memory however long it runs. */
export const MOST_TAIL_ENTRIES = 2_000

/** Adds what has come, oldest first, and drops the oldest entries beyond `most`. */
export function addToTail<T>(
  tail: Tail<T>,
  come: { readonly items: readonly T[]; readonly skipped: number; readonly cursor: string },
  most: number = MOST_TAIL_ENTRIES,
): Tail<T> {
  const seen = tail.seen + come.items.length
  const skipped = tail.skipped + come.skipped
  if (come.items.length === 0 && come.skipped === 0) return { ...tail, cursor: come.cursor }
  // The newest of what has come are sent, so what is skipped lies before them.
  const gap: TailEntry<T>[] = come.skipped > 0 ? [{ kind: 'gap', number: skipped, skipped: come.skipped }] : []
  const newest = come.items
    .slice(-most)
    .reverse()
    .map((item): TailEntry<T> => ({ kind: 'item', item }))
  return { entries: [...newest, ...gap, ...tail.entries].slice(0, most), cursor: come.cursor, skipped, seen }
}
