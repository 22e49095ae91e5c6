/**
 * Parses a Debezium value without rounding. A number that a JavaScript number cannot hold exactly comes back as the
 * string of its digits; `source.ts_ns` is one by nature and is not looked at, so that most records take the fast path.
 * Throws a SyntaxError on malformed JSON.
 */
export function parseEnvelope(text: string): unknown {
  const source = text.lastIndexOf(',"source":{')
  const rows = source < 0 ? text : text.slice(0, source)
  return longDigits.test(rows) ? parseExactly(text) : JSON.parse(text)
}

/** Parses JSON of any shape; integers beyond 2^53 come back as strings of their digits. Throws a SyntaxError. */
export function parseExactly(text: string): unknown {
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown)
}

/** In digits that follow one another: whole numbers from 2^53 on, which may be inexact. */
const longDigits = /9\d{15}|\d{17}/

function keepDigits(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined || !longDigits.test(context.source)) return value
  return /^-?\d+$/.test(context.source) && !Number.isSafeInteger(value) ? context.source : value
}
