/**
 * Parses a Debezium value without rounding. A whole number of the row that a JavaScript number cannot hold exactly comes
 * back as the string of its digits; `source.ts_ns` is one by nature and is not looked at, so that most records are parsed
 * once. Throws a SyntaxError on malformed JSON.
 */
export function parseEnvelope(text: string): unknown {
  const envelope = JSON.parse(text) as { before?: unknown; after?: unknown } | null
  return mayBeRounded(envelope?.after) || mayBeRounded(envelope?.before) ? parseExactly(text) : envelope
}

/** Parses JSON of any shape; integers beyond 2^53 come back as strings of their digits. Throws a SyntaxError. */
export function parseExactly(text: string): unknown {
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown)
}

/** Whether there is a number from 2^53 on: what is rounded when it is parsed stays as large. */
function mayBeRounded(value: unknown): boolean {
  if (typeof value === 'number') return value >= 2 ** 53 || value <= -(2 ** 53)
  if (typeof value !== 'object' || value === null) return false
  for (const key in value) if (mayBeRounded((value as Record<string, unknown>)[key])) return true
  return false
}

function keepDigits(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined) return value
  return /^-?\d+$/.test(context.source) ? context.source : value
}
