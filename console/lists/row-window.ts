/** A list of rows of one height in a region that scrolls. All in CSS pixels. */
export type ScrolledList = {
  readonly count: number
  readonly rowHeight: number
  readonly scrollTop: number
  readonly viewport: number
}

/** Which rows are drawn (`first` up to, not including, `end`), where the first one lies, and how tall the list is. */
export type RowWindow = { readonly first: number; readonly end: number; readonly top: number; readonly height: number }

/** Browsers draw nothing beyond about 17 million pixels. A taller list scrolls faster than its rows. */
export const MOST_PIXELS = 8_000_000

/** Rows above and below the region, which are there when it is scrolled or when the focus moves by one row. */
const MARGIN_ROWS = 6

/** The rows to draw, of a list of any length. */
export function rowWindow(list: ScrolledList): RowWindow {
  const { count, rowHeight, viewport } = list
  const height = Math.min(count * rowHeight, MOST_PIXELS)
  const scrollTop = Math.max(0, Math.min(list.scrollTop, height - viewport))
  const shownTop = scrollTop * scaleOf(list)
  const first = Math.max(0, Math.floor(shownTop / rowHeight) - MARGIN_ROWS)
  const end = Math.min(count, Math.ceil((shownTop + viewport) / rowHeight) + MARGIN_ROWS)
  return { first, end: Math.max(first, end), top: scrollTop - (shownTop - first * rowHeight), height }
}

/** Where to scroll so that a row is the first in the region. */
export const scrollTopOf = (row: number, list: Omit<ScrolledList, 'scrollTop'>): number =>
  (row * list.rowHeight) / scaleOf(list)

/** How many pixels of rows pass when the region is scrolled by one pixel. */
function scaleOf({ count, rowHeight, viewport }: Omit<ScrolledList, 'scrollTop'>): number {
  const rows = count * rowHeight
  return rows <= MOST_PIXELS ? 1 : (rows - viewport) / (MOST_PIXELS - viewport)
}
