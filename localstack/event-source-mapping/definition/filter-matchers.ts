import {
  formatJson,
  isLeaf,
  isNumber,
  isObject,
  isSame,
  type JsonLeaf,
  type JsonValue,
  numberOf,
} from './json-value.ts'

/** Whether the values of a field match. An absent field has no values; an array has several. */
export type Matcher = (values: JsonLeaf[]) => boolean

type Test = (value: JsonLeaf) => boolean

const comparisons: Record<string, (one: number, other: number) => boolean> = {
  '=': (one, other) => one === other,
  '<': (one, other) => one < other,
  '<=': (one, other) => one <= other,
  '>': (one, other) => one > other,
  '>=': (one, other) => one >= other,
}

/**
 * Reads the list with which a field is compared. One of its values and operators has to match. Throws an Error with the
 * reason when the list is malformed.
 * Source: AWS, "Control which events Lambda sends to your function", filter rule syntax.
 */
export function readMatchers(list: JsonValue[], path: string): Matcher {
  if (list.length === 0) throw new Error(`${path}: an empty list matches nothing`)
  const matchers = list.map((each) => readMatcher(each, path))
  return (values) => matchers.some((matches) => matches(values))
}

function readMatcher(rule: JsonValue, path: string): Matcher {
  if (isLeaf(rule)) return some((value) => isSame(value, rule))
  if (!isObject(rule)) throw new Error(`${path}: a list inside a list is not a rule`)
  const [[operator, operand] = [], another] = Object.entries(rule)
  if (operator === undefined || another !== undefined) throw new Error(`${path}: a rule has exactly one operator`)
  if (operator === 'exists') {
    if (typeof operand !== 'boolean') throw new Error(`${path}: exists takes true or false`)
    return (values) => values.length > 0 === operand
  }
  return some(readTest(operator, operand!, path))
}

const some =
  (test: Test): Matcher =>
  (values) =>
    values.some(test)

function readTest(operator: string, operand: JsonValue, path: string): Test {
  if (operator === 'numeric') return readNumeric(operand, path)
  if (operator === 'anything-but') return readAnythingBut(operand, path)
  return readTextTest(operator, operand, path)
}

function readTextTest(operator: string, operand: JsonValue, path: string): Test {
  const foldCase = isObject(operand)
  const wanted = foldCase ? (operand as Record<string, JsonValue>)['equals-ignore-case'] : operand
  if (foldCase && (operator === 'equals-ignore-case' || Object.keys(operand).length !== 1)) {
    throw new Error(`${path}: ${operator} cannot take ${formatJson(operand)}`)
  }
  const fold = (text: string) => (foldCase || operator === 'equals-ignore-case' ? text.toLowerCase() : text)
  const tests: Record<string, (value: string, text: string) => boolean> = {
    prefix: (value, text) => value.startsWith(text),
    suffix: (value, text) => value.endsWith(text),
    'equals-ignore-case': (value, text) => value === text,
  }
  const test = tests[operator]
  if (test === undefined) throw new Error(`${path}: ${operator} is not an operator of event filtering`)
  if (typeof wanted !== 'string') throw new Error(`${path}: ${operator} takes text`)
  const text = fold(wanted)
  return (value) => typeof value === 'string' && test(fold(value), text)
}

function readAnythingBut(operand: JsonValue, path: string): Test {
  if (isObject(operand)) {
    const [[operator, value] = [], another] = Object.entries(operand)
    if (operator === undefined || another !== undefined) {
      throw new Error(`${path}: anything-but takes exactly one operator`)
    }
    const tests = (Array.isArray(value) ? value : [value!]).map((each) => readTextTest(operator, each, path))
    return (candidate) => !tests.some((test) => test(candidate))
  }
  const list = Array.isArray(operand) ? operand : [operand]
  const ofOneType = list.every((each) => typeof each === 'string') || list.every(isNumber)
  if (list.length === 0 || !ofOneType) throw new Error(`${path}: anything-but takes texts or numbers`)
  return (candidate) => !list.some((each) => isSame(candidate, each as JsonLeaf))
}

function readNumeric(operand: JsonValue, path: string): Test {
  const expected = `${path}: numeric takes "=" and a number, or one or two of < <= > >=, each followed by a number`
  if (!Array.isArray(operand) || (operand.length !== 2 && operand.length !== 4)) throw new Error(expected)
  const bounds = [operand.slice(0, 2), operand.slice(2)].filter(({ length }) => length > 0)
  const tests = bounds.map(([sign, bound]) => {
    const compare = typeof sign === 'string' ? comparisons[sign] : undefined
    if (compare === undefined || !isNumber(bound) || (sign === '=' && bounds.length > 1)) throw new Error(expected)
    return { sign: sign as string, compare, bound: numberOf(bound) }
  })
  const [one, other] = tests
  if (other !== undefined && one!.sign[0] === other.sign[0]) throw new Error(expected)
  return (value) => isNumber(value) && tests.every(({ compare, bound }) => compare(numberOf(value), bound))
}
