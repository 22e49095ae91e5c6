import type { ColumnChange, ShownChange } from '#core/console/changes.ts'

/** The columns of a change that a list shows, how many more there are, and whether it is not known what it changed. */
export type ShownColumns = {
  readonly columns: readonly ColumnChange[]
  readonly more: number
  readonly isBeforeUnknown: boolean
}

/**
 * Of an update the changed columns, at most `most`; of any other change the first ones. Where history does not have the
 * row before an update, nobody knows what it changed, and the first columns of its row are shown.
 */
export function shownColumns(change: ShownChange, most: number): ShownColumns {
  const { op, columns, columnCount, changedCount } = change
  const isBeforeUnknown = op === 'update' && columns.some(({ before }) => before?.kind === 'unavailable')
  const isOfChanged = op === 'update' && !isBeforeUnknown
  const all = isOfChanged ? columns.filter(({ isChanged }) => isChanged) : columns
  const shown = all.slice(0, most).map((column) => (isBeforeUnknown ? withoutBefore(column) : column))
  return { columns: shown, more: (isOfChanged ? changedCount : columnCount) - shown.length, isBeforeUnknown }
}

const withoutBefore = ({ before: _, ...column }: ColumnChange): ColumnChange => column
