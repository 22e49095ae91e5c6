/** A JSON value whose numbers keep their text, because 300, 300.0 and 3e2 are three values to a filter. */
export type JsonValue = JsonLeaf | JsonValue[] | { [name: string]: JsonValue }
export type JsonLeaf = null | boolean | string | JsonNumber

const source = Symbol('as written')
export type JsonNumber = { readonly [source]: string }

/** Throws a SyntaxError when the text is not JSON. */
export function parseJson(text: string): JsonValue {
  const keepNumbers = (_name: string, value: unknown, context: { source?: string }) =>
    typeof value === 'number' ? { [source]: context.source! } : value
  return JSON.parse(text, keepNumbers as (this: unknown, key: string, value: unknown) => unknown)
}

export function isNumber(value: JsonValue | undefined): value is JsonNumber {
  return typeof value === 'object' && value !== null && source in value
}

/** Whether a value is neither an object nor an array. */
export function isLeaf(value: JsonValue | undefined): value is JsonLeaf {
  return value === null || (value !== undefined && typeof value !== 'object') || isNumber(value)
}

export function isObject(value: JsonValue | undefined): value is { [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isNumber(value)
}

export const numberOf = (number: JsonNumber): number => Number(number[source])

/** Whether both have the same type and the same text. */
export function isSame(one: JsonLeaf, other: JsonLeaf): boolean {
  return isNumber(one) && isNumber(other) ? one[source] === other[source] : one === other
}

/** The value as JSON text. */
export function formatJson(value: JsonValue): string {
  return JSON.stringify(value, (_name, each) => (isNumber(each) ? numberOf(each) : each))
}
