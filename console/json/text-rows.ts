import { GrowingInts } from './growing-ints.ts'

/** The rows of a text of any length: it breaks at line feeds, and after `width` UTF-16 units. */
export class TextRows {
  readonly text: string
  readonly #starts = new GrowingInts()

  constructor(text: string, width: number) {
    this.text = text
    for (let from = 0; from < text.length || from === 0; ) {
      this.#starts.push(from)
      from = nextRow(text, from, width)
    }
  }

  get count(): number {
    return this.#starts.length
  }

  row(index: number): string {
    const end = index + 1 < this.count ? this.#starts.at(index + 1) : this.text.length
    const row = this.text.slice(this.#starts.at(index), end)
    return row.endsWith('\n') ? row.slice(0, -1) : row
  }
}

function nextRow(text: string, from: number, width: number): number {
  const feed = text.slice(from, from + width + 1).indexOf('\n')
  if (feed >= 0) return from + feed + 1
  const next = from + width
  // A character of two units is not torn, because each half would be shown as a mark.
  const isTorn = next < text.length && text.charCodeAt(next) >= 0xdc00 && text.charCodeAt(next) <= 0xdfff
  return Math.max(from + 1, isTorn && width > 1 ? next - 1 : next)
}
