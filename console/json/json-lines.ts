import { GrowingInts } from './growing-ints.ts'

/** What a line of JSON shows: the begin or end of an object or array, an empty one, or a value. */
export type JsonLineKind = 'open' | 'close' | 'empty' | 'string' | 'number' | 'word'

/** A line. `key` and `text` are as they are written, with quotes and all digits. `partner` is the line of the other bracket. */
export type JsonLine = {
  readonly kind: JsonLineKind
  readonly depth: number
  readonly key: string | null
  readonly text: string
  readonly partner: number
  readonly hasComma: boolean
}

/** Why a text is no JSON, and at which UTF-16 unit. */
export type JsonFault = { readonly at: number; readonly expected: string }

const kinds: readonly JsonLineKind[] = ['open', 'close', 'empty', 'string', 'number', 'word']
const FIELDS = 8
const [KIND, DEPTH, KEY_FROM, KEY_TO, FROM, TO, PARTNER, COMMA] = [0, 1, 2, 3, 4, 5, 6, 7] as const

/** The lines of a JSON text, as places in it: a text of megabytes takes 32 bytes for each line, and no copies. */
export class JsonLines {
  readonly text: string
  readonly #fields = new GrowingInts()

  constructor(text: string) {
    this.text = text
  }

  get count(): number {
    return this.#fields.length / FIELDS
  }

  line(index: number): JsonLine {
    const at = (field: number) => this.#fields.at(index * FIELDS + field)
    return {
      kind: kinds[at(KIND)]!,
      depth: at(DEPTH),
      key: at(KEY_FROM) < 0 ? null : this.text.slice(at(KEY_FROM), at(KEY_TO)),
      text: this.text.slice(at(FROM), at(TO)),
      partner: at(PARTNER),
      hasComma: at(COMMA) === 1,
    }
  }

  /** The line of the other bracket; the line itself where there is none. */
  partnerOf(index: number): number {
    return this.#fields.at(index * FIELDS + PARTNER)
  }

  depthOf(index: number): number {
    return this.#fields.at(index * FIELDS + DEPTH)
  }

  /** Adds a line. A line without a key has `keyFrom` -1. */
  add(kind: JsonLineKind, depth: number, keyFrom: number, keyTo: number, from: number, to: number): number {
    const index = this.count
    const fields = this.#fields
    fields.push(kinds.indexOf(kind))
    fields.push(depth)
    fields.push(keyFrom)
    fields.push(keyTo)
    fields.push(from)
    fields.push(to)
    fields.push(index)
    fields.push(0)
    return index
  }

  close(open: number, close: number): void {
    this.#fields.set(open * FIELDS + PARTNER, close)
    this.#fields.set(close * FIELDS + PARTNER, open)
  }

  /** An object that has turned out to be empty takes one line. */
  makeEmpty(open: number, to: number): void {
    this.#fields.set(open * FIELDS + KIND, kinds.indexOf('empty'))
    this.#fields.set(open * FIELDS + TO, to)
  }

  addComma(): void {
    this.#fields.set((this.count - 1) * FIELDS + COMMA, 1)
  }
}
