import type { TextRow } from './text-row.ts'

/** The last known state of rows, so that the next change can be shown as before and after. */
export type RecentRows = {
  get(place: string): TextRow | undefined
  /** Null if the row was deleted. */
  set(place: string, row: TextRow | null): void
}

/** Keeps the `most` rows that were changed last. */
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
