import type { Cell } from '#core/console/values.ts'

/** A value as tidemark.shown_value sends it: null, a text, or the beginning of a text and the length of the whole. */
export type SentValue = null | string | readonly [beginning: string, length: number]

/** The cell of a value. The text has at most `cut` UTF-16 units, and no half of a character. */
export function cellOf(value: SentValue, cut: number): Cell {
  if (value === null) return { kind: 'null' }
  const [text, length] = typeof value === 'string' ? [value, value.length] : value
  if (length <= cut && text.length === length) return { kind: 'text', text }
  return { kind: 'cut', text: beginningOf(text, cut), length }
}

function beginningOf(text: string, cut: number): string {
  if (text.length <= cut) return text
  const last = text.charCodeAt(cut - 1)
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? cut - 1 : cut)
}
