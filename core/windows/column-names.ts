/** The columns that `windows` and the view of a definition have besides those that the definition names. */
export const FIXED_COLUMNS = ['window_start', 'window_end', 'state', 'late_rows'] as const

/** Bytes that a name has in Postgres at most. */
const LONGEST = 63

/** Whether Postgres keeps the whole name. It cuts longer ones off, and then they are other names. */
export function isShortName(name: string): boolean {
  let bytes = 0
  for (const char of name) {
    const code = char.codePointAt(0)!
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }
  return bytes <= LONGEST
}
