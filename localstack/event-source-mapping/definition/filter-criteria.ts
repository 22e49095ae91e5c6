import { readPattern } from './filter-pattern.ts'
import { isObject, type JsonValue, parseJson } from './json-value.ts'
import { members, refuse } from './properties.ts'

/** Whether the function gets the record with this value; null is a tombstone's. */
export type ValueFilter = (value: Buffer | null) => boolean

/** What a value is to a filter: a message that is neither object nor array is plain text. */
type Message = { format: 'text' | 'json'; value: JsonValue }

type MessageFilter = (message: Message) => boolean

const longestPattern = 4096
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads FilterCriteria: a record passes when one of the filters matches its `value`, the only field Kafka mappings filter
 * on. What is no UTF-8, or has not the format of the pattern, passes. AWS: "Filtering events from Amazon MSK and
 * self-managed Apache Kafka event sources". Throws an Error with the reason.
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
    return refuse(`${place} is no JSON: ${(error as Error).message}`)
  }
  try {
    return readRecordRule(rule)
  } catch (error) {
    return refuse(`${place} is malformed: ${(error as Error).message}`)
  }
}

/** Patterns of the record; `value` is all that there is to filter on. */
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
      // Plain text may begin with a bracket, too.
    }
  }
  return { format: 'text', value: text }
}
