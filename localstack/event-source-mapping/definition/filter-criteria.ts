import { readPattern } from './filter-pattern.ts'
import { isObject, type JsonValue, parseJson } from './json-value.ts'
import { members, refuse } from './properties.ts'

/** Whether the function gets the record with this value. A tombstone's value is null. */
export type ValueFilter = (value: Buffer | null) => boolean

/** A value in the form that filters need. A message that is neither an object nor an array is plain text. */
type Message = { format: 'text' | 'json'; value: JsonValue }

type MessageFilter = (message: Message) => boolean

const longestPattern = 4096
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads FilterCriteria. A record passes when one of the filters matches its `value`, the only field on which Kafka
 * mappings filter. A value that is not UTF-8, or that is not in the pattern's format, passes. Throws an Error with the
 * reason.
 * Source: AWS, "Filtering events from Amazon MSK and self-managed Apache Kafka event sources".
 */
export function readFilters(criteria: unknown, most: number): ValueFilter | undefined {
  const filters = members({ FilterCriteria: criteria }, 'FilterCriteria', ['Filters'])?.['Filters']
  if (filters === undefined) return undefined
  if (!Array.isArray(filters)) refuse('FilterCriteria.Filters must be a list')
  const list = filters as { Pattern?: unknown }[]
  if (list.length === 0) return undefined
  if (list.length > most) refuse(`FilterCriteria has ${list.length} filters; the quota is ${most}`)
  const patterns = list.map(({ Pattern }, index) => readFilter(Pattern, `FilterCriteria.Filters[${index}].Pattern`))
  return (value) => {
    const message = readMessage(value)
    return message === undefined || patterns.some((matches) => matches(message))
  }
}

function readFilter(pattern: unknown, place: string): MessageFilter {
  if (typeof pattern !== 'string') return refuse(`${place} must be JSON as text`)
  if (pattern.length > longestPattern) return refuse(`${place} is longer than ${longestPattern} characters`)
  let rule: JsonValue
  try {
    rule = parseJson(pattern)
  } catch (error) {
    return refuse(`${place} is not JSON: ${(error as Error).message}`)
  }
  try {
    return readRecordRule(rule)
  } catch (error) {
    return refuse(`${place} is malformed: ${(error as Error).message}`)
  }
}

/** Reads the pattern for a record, in which `value` is the only field that can be filtered. */
function readRecordRule(rule: JsonValue): MessageFilter {
  if (!isObject(rule)) throw new Error('it must be an object')
  const filters = Object.entries(rule).map(([name, nested]) => {
    if (name === 'value') return readValueRule(nested)
    if (name !== '$or') throw new Error(`${name}: Kafka records can be filtered by value only`)
    if (!Array.isArray(nested) || nested.length < 2) throw new Error('$or takes a list of two or more patterns')
    const alternatives = nested.map(readRecordRule)
    return (message: Message) => alternatives.some((matches) => matches(message))
  })
  return (message) => filters.every((matches) => matches(message))
}

function readValueRule(rule: JsonValue): MessageFilter {
  const matches = readPattern(rule, 'value')
  const format = Array.isArray(rule) ? 'text' : 'json'
  return (message) => message.format !== format || matches(message.value)
}

function readMessage(value: Buffer | null): Message | undefined {
  if (value === null) return undefined
  let text: string
  try {
    text = utf8.decode(value)
  } catch {
    return undefined
  }
  if (/^\s*[{[]/.test(text)) {
    try {
      return { format: 'json', value: parseJson(text) }
    } catch {
      // Plain text may also begin with a bracket.
    }
  }
  return { format: 'text', value: text }
}
