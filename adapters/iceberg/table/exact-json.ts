/** The result of `parseExactJson`: JSON in which integers beyond 2^53 are bigint. */
export type ExactJson = null | boolean | number | bigint | string | ExactJson[] | { [key: string]: ExactJson }

/**
 * Parses JSON without rounding: an integer that is not a safe integer is returned as a bigint. Throws a SyntaxError.
 */
export function parseExactJson(text: string): ExactJson {
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown) as ExactJson
}

/** Writes JSON in which a bigint is a plain integer. `JSON.stringify` alone refuses a bigint. */
export function stringifyExactJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? rawJson(part.toString()) : part))
}

function keepDigits(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined) return value
  return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value
}

const rawJson = (JSON as unknown as { rawJSON: (text: string) => unknown }).rawJSON
