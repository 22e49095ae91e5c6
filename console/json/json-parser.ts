import { type JsonFault, type JsonLineKind, JsonLines } from './json-lines.ts'

/** So many lines are read between two pauses, which takes a few milliseconds. */
const LINES_PER_STEP = 10_000

/**
 * Reads a JSON text (RFC 8259) into lines, in steps: it yields the place that it has reached, so that the page stays
 * responsive meanwhile. Numbers stay as they are written. It returns a fault if the text is no JSON.
 */
export function* readJsonLines(text: string): Generator<number, JsonLines | JsonFault> {
  const reader = new JsonReader(text)
  while (!reader.isDone) {
    const fault = reader.step(LINES_PER_STEP)
    if (fault !== null) return fault
    yield reader.at
  }
  return reader.lines
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const word = /true|false|null/y
const escaped = /["\\/bfnrt]|u[0-9a-fA-F]{4}/y

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ', or end' | 'end'

const messages: Readonly<Record<Expected, string>> = {
  value: 'a value',
  'value or ]': 'a value or ]',
  key: 'a name in quotes',
  'key or }': 'a name in quotes or }',
  ', or end': 'a comma or the end of what is open',
  end: 'the end of the text',
}

/** The open brackets are a list and not calls, so that no depth of the text can exhaust the stack. */
class JsonReader {
  readonly lines: JsonLines
  readonly #text: string
  readonly #open: number[] = []
  /** Whether each open bracket is that of an array. */
  readonly #arrays: boolean[] = []
  #expected: Expected = 'value'
  #keyFrom = -1
  #keyTo = -1
  at = 0
  isDone = false

  constructor(text: string) {
    this.#text = text
    this.lines = new JsonLines(text)
  }

  /** Reads so many lines, or to the end. */
  step(most: number): JsonFault | null {
    const until = this.lines.count + most
    while (this.lines.count < until) {
      this.#skipSpace()
      if (this.at >= this.#text.length) {
        this.isDone = this.#expected === 'end'
        return this.isDone ? null : this.#fault()
      }
      if (!this.#readOne()) return this.#fault()
    }
    return null
  }

  #fault = (): JsonFault => ({ at: this.at, expected: messages[this.#expected] })

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.at++
    }
  }

  #readOne(): boolean {
    const character = this.#text[this.at]!
    switch (this.#expected) {
      case 'key or }':
        return character === '}' ? this.#closeEmpty() : this.#readKey()
      case 'key':
        return this.#readKey()
      case 'value or ]':
        return character === ']' ? this.#closeEmpty() : this.#readValue(character)
      case 'value':
        return this.#readValue(character)
      case ', or end':
        return this.#readSeparator(character)
      case 'end':
        return false
    }
  }

  #readKey(): boolean {
    const from = this.at
    if (!this.#readString()) return false
    this.#keyFrom = from
    this.#keyTo = this.at
    this.#skipSpace()
    if (this.#text[this.at] !== ':') return false
    this.at++
    this.#expected = 'value'
    return true
  }

  #readValue(character: string): boolean {
    const from = this.at
    if (character === '{' || character === '[') {
      this.at++
      const open = this.#add('open', from)
      this.#open.push(open)
      this.#arrays.push(character === '[')
      this.#expected = character === '{' ? 'key or }' : 'value or ]'
      return true
    }
    if (character === '"') return this.#readString() && this.#addValue('string', from)
    if (this.#readPattern(number)) return this.#addValue('number', from)
    return this.#readPattern(word) && this.#addValue('word', from)
  }

  #addValue(kind: 'string' | 'number' | 'word', from: number): boolean {
    this.#add(kind, from)
    this.#ended()
    return true
  }

  #add(kind: JsonLineKind, from: number): number {
    const index = this.lines.add(kind, this.#open.length, this.#keyFrom, this.#keyTo, from, this.at)
    this.#keyFrom = -1
    return index
  }

  #ended(): void {
    this.#expected = this.#open.length === 0 ? 'end' : ', or end'
  }

  #isArray(): boolean {
    return this.#arrays.at(-1) === true
  }

  #pop(): number {
    this.#arrays.pop()
    return this.#open.pop()!
  }

  #closeEmpty(): boolean {
    this.at++
    this.lines.makeEmpty(this.#pop(), this.at)
    this.#ended()
    return true
  }

  #readSeparator(character: string): boolean {
    if (character === ',') {
      this.at++
      this.lines.addComma()
      this.#expected = this.#isArray() ? 'value' : 'key'
      return true
    }
    if (character !== (this.#isArray() ? ']' : '}')) return false
    const open = this.#pop()
    const from = this.at++
    this.lines.close(open, this.#add('close', from))
    this.#ended()
    return true
  }

  #readPattern(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    if (!pattern.test(this.#text)) return false
    this.at = pattern.lastIndex
    return true
  }

  /** Character by character, because a pattern that repeats would need a stack as long as the text. */
  #readString(): boolean {
    if (this.#text[this.at] !== '"') return false
    for (let at = this.at + 1; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at)
      if (code === 0x22) {
        this.at = at + 1
        return true
      }
      if (code < 0x20) return false
      if (code !== 0x5c) continue
      escaped.lastIndex = at + 1
      if (!escaped.test(this.#text)) return false
      at = escaped.lastIndex - 1
    }
    return false
  }
}
