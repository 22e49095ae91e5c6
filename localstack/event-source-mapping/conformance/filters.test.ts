import { describe, expect, test } from 'vitest'
import { readFilters } from '../definition/filter-criteria.ts'

// Source of each test: a page of the AWS Lambda developer guide.

/** Whether the function gets a record with this value, under patterns for `value`. */
function passes(value: unknown, ...patterns: unknown[]): boolean {
  const filters = { Filters: patterns.map((pattern) => ({ Pattern: JSON.stringify({ value: pattern }) })) }
  return readFilters(filters, 10)!(value === null ? null : toBytes(value))
}

const toBytes = (value: unknown) =>
  Buffer.isBuffer(value) ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))

/** Reads one pattern, given as text. */
const read = (Pattern: unknown, most = 5) => readFilters({ Filters: [{ Pattern }] }, most)

// "Control which events Lambda sends to your function", filter rule syntax: the summary of comparison operators.
describe('the operators', () => {
  test.each<[string, unknown, unknown[], unknown[]]>([
    ['null', { id: [null] }, [{ id: null }], [{ id: 0 }, { id: '' }, {}]],
    ['empty', { name: [''] }, [{ name: '' }], [{ name: ' ' }, { name: null }, {}]],
    ['equals', { name: ['Alice'] }, [{ name: 'Alice' }], [{ name: 'alice' }, { name: 'Alice ' }, { names: 'Alice' }]],
    ['equals, of a truth value', { ok: [true] }, [{ ok: true }], [{ ok: 'true' }, { ok: false }]],
    [
      'equals-ignore-case',
      { name: [{ 'equals-ignore-case': 'alice' }] },
      [{ name: 'ALICE' }],
      [{ name: 'bob' }, { name: 1 }],
    ],
    ['and', { place: ['New York'], day: ['Monday'] }, [{ place: 'New York', day: 'Monday' }], [{ place: 'New York' }]],
    ['or', { type: ['Credit', 'Debit'] }, [{ type: 'Credit' }, { type: 'Debit' }], [{ type: 'Cash' }]],
    [
      'or, of fields',
      { $or: [{ place: ['New York'] }, { day: ['Monday'] }] },
      [{ day: 'Monday' }],
      [{ day: 'Sunday' }],
    ],
    ['or, beside other fields', { a: [1], $or: [{ b: [1] }, { c: [1] }] }, [{ a: 1, c: 1 }], [{ c: 1 }, { a: 1 }]],
    [
      'not',
      { weather: [{ 'anything-but': ['Raining'] }] },
      [{ weather: 'Sunny' }, { weather: null }],
      [{ weather: 'Raining' }, {}],
    ],
    ['not, of numbers', { n: [{ 'anything-but': [1, 2] }] }, [{ n: 3 }, { n: '1' }], [{ n: 1 }, { n: 2 }]],
    ['not, of a prefix', { n: [{ 'anything-but': { prefix: 'a' } }] }, [{ n: 'ba' }], [{ n: 'ab' }]],
    ['not, of a suffix', { n: [{ 'anything-but': { suffix: 'a' } }] }, [{ n: 'ab' }], [{ n: 'ba' }]],
    [
      'not, ignoring case',
      { n: [{ 'anything-but': { 'equals-ignore-case': ['A', 'b'] } }] },
      [{ n: 'c' }],
      [{ n: 'a' }, { n: 'B' }],
    ],
    [
      'numeric, equal',
      { price: [{ numeric: ['=', 100] }] },
      [{ price: 100 }, { price: 1e2 }],
      [{ price: 101 }, { price: '100' }],
    ],
    [
      'numeric, range',
      { price: [{ numeric: ['>', 10, '<=', 20] }] },
      [{ price: 10.5 }, { price: 20 }],
      [{ price: 10 }, { price: 21 }, {}],
    ],
    ['exists', { name: [{ exists: true }] }, [{ name: null }, { name: 'x' }], [{}, { name: { first: 'x' } }]],
    ['does not exist', { name: [{ exists: false }] }, [{}, { other: 1 }], [{ name: null }]],
    ['begins with', { region: [{ prefix: 'us-' }] }, [{ region: 'us-east-1' }], [{ region: 'eu-us-1' }, { region: 1 }]],
    [
      'begins with, ignoring case',
      { region: [{ prefix: { 'equals-ignore-case': 'US-' } }] },
      [{ region: 'us-east-1' }],
      [{ region: 'eu' }],
    ],
    ['ends with', { file: [{ suffix: '.png' }] }, [{ file: 'a.png' }], [{ file: 'a.png.txt' }]],
    [
      'nested',
      { after: { address: { city: ['Bonn'] } } },
      [{ after: { address: { city: 'Bonn' } } }],
      [{ city: 'Bonn' }, { after: 'Bonn' }],
    ],
    ['nested, does not exist', { a: { b: [{ exists: false }] } }, [{}, { a: 1 }, { a: {} }], [{ a: { b: 1 } }]],
    [
      'of an array',
      { tags: ['x', { prefix: 'y' }] },
      [{ tags: ['a', 'x'] }, { tags: ['yes'] }],
      [{ tags: ['a'] }, { tags: [] }],
    ],
    [
      'of objects in an array',
      { items: { id: [1], ok: [true] } },
      [{ items: [{ id: 2 }, { id: 1, ok: true }] }],
      [{ items: [{ id: 1 }, { ok: true }] }],
    ],
  ])('%s', (_, pattern, matching, others) => {
    for (const value of matching) expect([value, passes(value, pattern)]).toEqual([value, true])
    for (const value of others) expect([value, passes(value, pattern)]).toEqual([value, false])
  })

  // The same page: "300, 300.0, and 3.0e2 are not considered equal".
  test('numbers are equal when they are written alike', () => {
    const filter = read('{"value":{"n":[300]}}')!

    expect(['{"n":300}', '{"n":300.0}', '{"n":3.0e2}'].map((value) => filter(Buffer.from(value)))).toEqual([
      true,
      false,
      false,
    ])
  })

  // The same page: "Your filters are logically ORed together".
  test('a record passes when one of the filters matches', () => {
    expect([1, 2, 3].map((n) => passes({ n }, { n: [1] }, { n: [3] }))).toEqual([true, false, true])
  })

  // The same page, duplicate keys: "Lambda uses only the last value for that key".
  test('of duplicate keys the last one counts', () => {
    const filter = read('{"value":{"a":["hello"],"a":["world"]}}')!

    expect([filter(toBytes({ a: 'hello' })), filter(toBytes({ a: 'world' }))]).toEqual([false, true])
  })
})

// "Filtering events from Amazon MSK and self-managed Apache Kafka event sources": the table of formats.
describe('the format of the value', () => {
  const json = { op: ['c'] }
  const text = [{ 'anything-but': ['error'] }]

  test.each<[string, unknown, unknown, boolean]>([
    ['plain text under a pattern for plain text that matches', 'fine', text, true],
    ['plain text under a pattern for plain text that does not match', 'error', text, false],
    ['plain text under a pattern for JSON passes', 'error', json, true],
    ['JSON under a pattern for plain text passes', { op: 'error' }, text, true],
    ['JSON under a pattern for JSON that matches', { op: 'c' }, json, true],
    ['JSON under a pattern for JSON that does not match', { op: 'd' }, json, false],
    ['what is no UTF-8 passes', Buffer.of(0xff, 0xfe, 0x65), text, true],
    ['a tombstone passes (our reading)', null, json, true],
    ['what only begins like JSON is plain text', '{error', [{ prefix: '{err' }], true],
  ])('%s', (_, value, pattern, expected) => {
    expect(passes(value, pattern)).toBe(expected)
  })

  test('without a pattern for value every record passes', () => {
    expect(read('{}')!(toBytes({ op: 'd' }))).toBe(true)
  })

  test('no filters, or an empty object, filter nothing', () => {
    expect([readFilters(undefined, 5), readFilters({}, 5), readFilters({ Filters: [] }, 5)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })
})

// "Control which events Lambda sends to your function": five filters, ten on request; otherwise an error at creation.
test('there are five filters at most, or what the quota was raised to', () => {
  const filters = (count: number) => ({ Filters: Array(count).fill({ Pattern: '{"value":{"a":[1]}}' }) })

  expect(() => readFilters(filters(6), 5)).toThrow('FilterCriteria has 6 filters; the quota is 5')
  expect(readFilters(filters(10), 10)).toBeDefined()
})

// "Filtering events from Amazon MSK …": "only support filtering on the value key"; API, Filter: a pattern of up to
// 4,096 characters.
test.each([
  [undefined, 'Filters[0].Pattern must be JSON as text'],
  ['{', 'Filters[0].Pattern is not JSON'],
  ['[]', 'it must be an object'],
  ['{"key":["a"]}', 'key: Kafka records can be filtered by value only'],
  ['{"value":"a"}', 'value: a value must stand in a list'],
  ['{"value":{"a":{"b":1}}}', 'value.a.b: a value must stand in a list'],
  ['{"value":{"a":[]}}', 'value.a: an empty list matches nothing'],
  ['{"value":{"a":[[1]]}}', 'value.a: a list inside a list is not a rule'],
  ['{"value":{"a":[{}]}}', 'value.a: a rule has exactly one operator'],
  ['{"value":{"a":[{"prefix":"a","suffix":"b"}]}}', 'value.a: a rule has exactly one operator'],
  ['{"value":{"a":[{"like":"a"}]}}', 'value.a: like is not an operator of event filtering'],
  ['{"value":{"a":[{"prefix":1}]}}', 'value.a: prefix takes text'],
  ['{"value":{"a":[{"exists":"yes"}]}}', 'value.a: exists takes true or false'],
  ['{"value":{"a":[{"numeric":[">"]}]}}', 'value.a: numeric takes "=" and a number'],
  ['{"value":{"a":[{"numeric":["<",1,"<",2]}]}}', 'value.a: numeric takes "=" and a number'],
  ['{"value":{"a":[{"numeric":["~",1]}]}}', 'value.a: numeric takes "=" and a number'],
  ['{"value":{"a":[{"anything-but":[]}]}}', 'value.a: anything-but takes texts or numbers'],
  ['{"value":{"a":[{"anything-but":["a",1]}]}}', 'value.a: anything-but takes texts or numbers'],
  ['{"value":{"$or":[{"a":[1]}]}}', 'value: $or takes a list of two or more patterns'],
  [`{"value":["${'x'.repeat(4096)}"]}`, 'Filters[0].Pattern is longer than 4096 characters'],
])('the pattern %j is refused with the reason', (pattern, reason) => {
  expect(() => read(pattern)).toThrow(reason)
})
