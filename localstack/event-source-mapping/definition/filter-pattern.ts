import { type Matcher, readMatchers } from './filter-matchers.ts'
import { isLeaf, isObject, type JsonLeaf, type JsonValue } from './json-value.ts'

/** Whether the value of a field matches; undefined where the field is absent. */
export type Pattern = (value: JsonValue | undefined) => boolean

/**
 * Reads a pattern for a field: a list of values and operators for a leaf, an object for what is nested in it; `$or` holds
 * alternatives. Throws an Error with the place and the reason where it is malformed.
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

/** Of an array its elements; an object is no leaf: as if it were absent. */
function leavesOf(value: JsonValue | undefined): JsonLeaf[] {
  if (Array.isArray(value)) return value.flatMap(leavesOf)
  return isLeaf(value) ? [value] : []
}

/** Of an array those in it, one at a time: what is nested must match in one of them. An absent one has no fields. */
function objectsOf(value: JsonValue | undefined): Fields[] {
  if (isObject(value)) return [value]
  const nested = Array.isArray(value) ? value.flatMap((each) => (isLeaf(each) ? [] : objectsOf(each))) : []
  return nested.length > 0 ? nested : [{}]
}
