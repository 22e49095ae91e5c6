import type { JsonLines } from './json-lines.ts'

/** The lines that are shown while some brackets are folded. A folded bracket takes one line. */
export function unfoldedLines(lines: JsonLines, folded: ReadonlySet<number>): Int32Array {
  const shown = new Int32Array(lines.count)
  let count = 0
  for (let index = 0; index < lines.count; index++) {
    shown[count++] = index
    if (folded.has(index)) index = lines.partnerOf(index)
  }
  return shown.subarray(0, count)
}

/** A text of more lines than this begins folded below `FOLDED_DEPTH`. */
const MANY_LINES = 400
const FOLDED_DEPTH = 2

/** What is folded when a text is opened: nothing if it is short, and everything deep if it is long. */
export function initiallyFolded(lines: JsonLines): Set<number> {
  const folded = new Set<number>()
  if (lines.count <= MANY_LINES) return folded
  for (let index = 0; index < lines.count; index++) {
    if (lines.depthOf(index) < FOLDED_DEPTH || lines.partnerOf(index) <= index) continue
    folded.add(index)
    index = lines.partnerOf(index)
  }
  return folded
}
