/** Text that is not JSON, or that is nested deeper than any record of capture. */
export class WireError extends Error {
  override readonly name = 'WireError'
}

/** Deeper than any envelope: arrays have at most six dimensions, and JSON documents are sent as text. */
const deepest = 100

/**
 * The nesting of a longer text is checked before it is parsed: a text of only brackets would fill the function's
 * memory.
 */
const longText = 65_536

/**
 * Parses a Debezium value without rounding. An integer of the row that a JavaScript number cannot hold exactly is
 * returned as the string of its digits. `source.ts_ns` is always such an integer, so it is not checked, and most
 * records are parsed once. Throws a WireError on malformed JSON.
 */
export function parseEnvelope(text: string): unknown {
  const envelope = parse(text) as { before?: unknown; after?: unknown } | null
  return mayBeRounded(envelope?.after, 0) || mayBeRounded(envelope?.before, 0) ? parseExactly(text) : envelope
}

/** Parses JSON of any shape; integers beyond 2^53 are returned as strings of their digits. Throws a WireError. */
export function parseExactly(text: string): unknown {
  if (isNestedDeeper(text, deepest)) throw tooDeep()
  return parse(quoteLongIntegers(text))
}

/** Parses JSON, and refuses nesting that is too deep for a recursive function. Throws a WireError. */
export function parseShallow(text: string): unknown {
  if (isNestedDeeper(text, deepest)) throw tooDeep()
  return parse(text)
}

/** Parses JSON of any shape. Throws a WireError. */
export function parse(text: string): unknown {
  if (text.length > longText && isNestedDeeper(text, deepest)) throw tooDeep()
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new WireError(`it is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

const tooDeep = () => new WireError('its JSON is nested too deep')

/**
 * Whether the value has a number of at least 2^53: a number that was rounded when it was parsed is still that large.
 */
function mayBeRounded(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return value >= 2 ** 53 || value <= -(2 ** 53)
  if (typeof value !== 'object' || value === null) return false
  if (depth > deepest) throw tooDeep()
  for (const key in value) if (mayBeRounded((value as Record<string, unknown>)[key], depth + 1)) return true
  return false
}

const [quote, minus, point, backslash, openBracket, openBrace, closeBracket, closeBrace] = [
  0x22, 0x2d, 0x2e, 0x5c, 0x5b, 0x7b, 0x5d, 0x7d,
]

/** 2^53 has sixteen digits. */
const digitsOfLong = 16

/**
 * The same JSON, with quotes around integers that a JavaScript number does not hold exactly. A reviver that gets the
 * source of each value takes three times as long.
 */
function quoteLongIntegers(text: string): string {
  let quoted = ''
  let done = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) at = endOfString(text, at)
    else if (code === minus || isDigit(code)) {
      const end = endOfNumber(text, at)
      if (end - at >= digitsOfLong && isUnsafeInteger(text.slice(at, end)) && !isKey(text, end)) {
        quoted += `${text.slice(done, at)}"${text.slice(at, end)}"`
        done = end
      }
      at = end - 1
    }
  }
  return done === 0 ? text : quoted + text.slice(done)
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

const isUnsafeInteger = (number: string): boolean =>
  /^-?[1-9]\d*$/.test(number) && !Number.isSafeInteger(Number(number))

/** A number cannot be a key in JSON. Quotes around one would turn invalid JSON into valid JSON. */
function isKey(text: string, end: number): boolean {
  let at = end
  while (' \t\n\r'.includes(text.charAt(at)) && at < text.length) at++
  return text.charAt(at) === ':'
}

/** The index after the number that begins at `from`. */
function endOfNumber(text: string, from: number): number {
  let at = from + 1
  // One pass takes all characters that JSON allows in a number: digits, a point, e or E, and signs.
  for (let code = text.charCodeAt(at); isDigit(code) || code === point || isExponent(code); code = text.charCodeAt(at))
    at++
  return at
}

/** e, E, + or - */
const isExponent = (code: number): boolean => code === 0x65 || code === 0x45 || code === 0x2b || code === minus

/** Whether brackets and braces outside of strings are nested deeper than `limit`. */
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

/** The index of the quote that ends the string which begins at `from`, or the length of the text. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let escapes = 0
    while (text.charCodeAt(at - 1 - escapes) === backslash) escapes++
    if (escapes % 2 === 0) return at
  }
  return text.length
}
