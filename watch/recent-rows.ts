import type { TextRow } from './watched-change.ts'

/** Rows as they were last seen, so that the next change can be shown as before and after. */
export type RecentRows = {
  get(place: string): TextRow | undefined
  /** Null where the row is gone. */
  set(place: string, row: TextRow | null): void
}

/** Remembers so many rows, those that were changed last. */
export function makeRecentRows(most = 50_000): RecentRows {
  const rows = new Map<string, TextRow>()
  return {
    get: (place) => rows.get(place),
    set: (place, row) => {
      rows.delete(place)
      if (row !== null) rows.set(place, row)
      if (rows.size > most) rows.delete(rows.keys().next().value!)
    },
  }
}
