/** JSON that is no JSON, or that is nested deeper than any record of capture is. */
export class WireError extends Error {
  override readonly name = 'WireError'
  readonly retryable = false
}

/** Deeper than any envelope: arrays have six dimensions at most, and documents travel as texts. */
const deepest = 100

/** A text of this length is looked through before it is parsed: of brackets alone it would fill the function's memory. */
const longText = 65_536

/**
 * Parses a Debezium value without rounding. A whole number of the row that a JavaScript number cannot hold exactly comes
 * back as the string of its digits; `source.ts_ns` is one by nature and is not looked at, so that most records are parsed
 * once. Throws a WireError on malformed JSON.
 */
export function parseEnvelope(text: string): unknown {
  const envelope = parse(text) as { before?: unknown; after?: unknown } | null
  return mayBeRounded(envelope?.after, 0) || mayBeRounded(envelope?.before, 0) ? parseExactly(text) : envelope
}

/** Parses JSON of any shape; integers beyond 2^53 come back as strings of their digits. Throws a WireError. */
export function parseExactly(text: string): unknown {
  if (isNestedDeeper(text, deepest)) throw tooDeep()
  return parse(text, keepDigits as (key: string, value: unknown) => unknown)
}

/** Parses JSON that is nested no deeper than a function that walks through it can go. Throws a WireError. */
export function parseShallow(text: string): unknown {
  if (isNestedDeeper(text, deepest)) throw tooDeep()
  return parse(text)
}

/** Parses JSON of any shape. Throws a WireError. */
export function parse(text: string, reviver?: (key: string, value: unknown) => unknown): unknown {
  if (text.length > longText && isNestedDeeper(text, deepest)) throw tooDeep()
  try {
    return JSON.parse(text, reviver)
  } catch (error) {
    throw new WireError(`it is no JSON: ${(error as Error).message}`, { cause: error })
  }
}

const tooDeep = () => new WireError('its JSON is nested too deep')

/** Whether there is a number from 2^53 on: what is rounded when it is parsed stays as large. */
function mayBeRounded(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return value >= 2 ** 53 || value <= -(2 ** 53)
  if (typeof value !== 'object' || value === null) return false
  if (depth > deepest) throw tooDeep()
  for (const key in value) if (mayBeRounded((value as Record<string, unknown>)[key], depth + 1)) return true
  return false
}

function keepDigits(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined) return value
  return /^-?\d+$/.test(context.source) ? context.source : value
}

const [quote, backslash, openBracket, openBrace, closeBracket, closeBrace] = [0x22, 0x5c, 0x5b, 0x7b, 0x5d, 0x7d]

/** Whether brackets and braces outside of strings are open at more than `limit` levels. */
function isNestedDeeper(text: string, limit: number): boolean {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote) i = endOfString(text, i)
    else if (code === openBracket || code === openBrace) {
      if (++depth > limit) return true
    } else if (code === closeBracket || code === closeBrace) depth--
  }
  return false
}

/** Place of the quote that ends the string which begins at `from`, or the end of the text. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let escapes = 0
    while (text.charCodeAt(at - 1 - escapes) === backslash) escapes++
    if (escapes % 2 === 0) return at
  }
  return text.length
}
