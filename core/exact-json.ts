/** A JSON number as it was written; JSON.stringify writes it in the same way. */
export type WrittenNumber = { readonly rawJSON: string }

const engine = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
  rawJSON(text: string): WrittenNumber
  isRawJSON(value: unknown): value is WrittenNumber
}

/**
 * The deepest nesting of arrays and objects that is read. Postgres and JavaScript both fail at some thousands of
 * levels.
 */
const levels = 100

/**
 * Parses JSON and keeps its numbers as they were written. Throws a SyntaxError on other text; returns undefined when it
 * is nested too deeply.
 */
export function parseAsWritten(text: string): unknown {
  if (isDeeper(JSON.parse(text), levels)) return undefined
  return engine.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? engine.rawJSON(source) : value,
  )
}

/** Whether a value that parseAsWritten returned is a number. */
export const isWrittenNumber = (value: unknown): value is WrittenNumber => engine.isRawJSON(value)

/** A decimal number, which is exactly digits × 10^exponent. */
export type Decimal = { readonly digits: bigint; readonly exponent: number }

/**
 * Reads a number as JSON writes it; undefined when it is not a number, or too long or too large for a numeric of
 * Postgres.
 */
export function readDecimal(text: string): Decimal | undefined {
  const parts = text.length > 1_000 ? null : /^(-?\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/.exec(text)
  if (parts === null) return undefined
  const [, whole = '', fraction = '', exponent = '0'] = parts
  if (Math.abs(Number(exponent)) > 1_000) return undefined
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length }
}

/** The whole part of a decimal × 10^shift, rounded down. `exact`: there was no fraction. */
export function wholePart(
  { digits, exponent }: Decimal,
  shift = 0,
): { readonly whole: bigint; readonly exact: boolean } {
  const power = exponent + shift
  if (power >= 0) return { whole: digits * 10n ** BigInt(power), exact: true }
  const divisor = 10n ** BigInt(-power)
  const rest = digits % divisor
  return { whole: digits / divisor - (rest < 0n ? 1n : 0n), exact: rest === 0n }
}

function isDeeper(value: unknown, allowed: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (allowed === 0) return true
  for (const key in value) if (isDeeper((value as Record<string, unknown>)[key], allowed - 1)) return true
  return false
}
