import { type Matcher, readMatchers } from './filter-matchers.ts'
import { isLeaf, isObject, type JsonLeaf, type JsonValue } from './json-value.ts'

/** Whether the value of a field matches. The value is undefined when the field is absent. */
export type Pattern = (value: JsonValue | undefined) => boolean

/**
 * Reads the pattern for a field: a list of values and operators for a leaf, or an object for nested fields. `$or` holds
 * alternatives. Throws an Error with the place and the reason when the pattern is malformed.
 */
export function readPattern(rule: JsonValue, path: string): Pattern {
  if (Array.isArray(rule)) return matchLeaves(readMatchers(rule, path))
  if (!isObject(rule)) throw new Error(`${path}: a value must stand in a list`)
  const patterns = Object.entries(rule).map(([name, nested]) => {
    if (name === '$or') return readAlternatives(nested, path)
    const pattern = readPattern(nested, `${path}.${name}`)
    return (fields: Fields) => pattern(Object.hasOwn(fields, name) ? fields[name] : undefined)
  })
  const matches = (fields: Fields) => patterns.every((pattern) => pattern(fields))
  return (value) => objectsOf(value).some(matches)
}

type Fields = { [name: string]: JsonValue }

function readAlternatives(list: JsonValue, path: string): (fields: Fields) => boolean {
  if (!Array.isArray(list) || list.length < 2 || !list.every(isObject)) {
    throw new Error(`${path}: $or takes a list of two or more patterns`)
  }
  const alternatives = list.map((each, index) => readPattern(each, `${path}.$or[${index}]`))
  return (fields) => alternatives.some((matches) => matches(fields))
}

const matchLeaves =
  (matches: Matcher): Pattern =>
  (value) =>
    matches(leavesOf(value))

/** The leaves of a value. An array has those of its elements. An object has none, as if it were absent. */
function leavesOf(value: JsonValue | undefined): JsonLeaf[] {
  if (Array.isArray(value)) return value.flatMap(leavesOf)
  return isLeaf(value) ? [value] : []
}

/**
 * The objects in a value. Those of an array are matched one at a time, because all nested fields have to match in the
 * same object. An absent value is an object without fields.
 */
function objectsOf(value: JsonValue | undefined): Fields[] {
  if (isObject(value)) return [value]
  const nested = Array.isArray(value) ? value.flatMap((each) => (isLeaf(each) ? [] : objectsOf(each))) : []
  return nested.length > 0 ? nested : [{}]
}
