import { expect, test } from 'vitest'
import { eventCount, parsePayload } from './payload.ts'

test('an unset field has its documented value', () => {
  expect(parsePayload({ mode: 'deltas', count: 5 })).toEqual({
    mode: 'deltas',
    count: 5,
    eventsPerSecond: 10,
    weights: { insert: 3, update: 6, delete: 1 },
    age: { min: 18, max: 90 },
    print: false,
  })
  expect(parsePayload({ mode: 'rows', seconds: 2.5, weights: { create: 1 } })).toEqual({
    mode: 'rows',
    seconds: 2.5,
    eventsPerSecond: 10,
    weights: { create: 1, update: 0, delete: 0 },
    balance: { min: 0, max: 10_000 },
  })
})

test('seconds mean as many events as the rate gives in that time', () => {
  expect(eventCount(parsePayload({ mode: 'rows', seconds: 2.5, eventsPerSecond: 30 }))).toBe(75)
  expect(eventCount(parsePayload({ mode: 'rows', seconds: 0.01, eventsPerSecond: 1 }))).toBe(1)
})

test.each([
  [undefined, 'payload: must be a JSON object'],
  ['deltas', 'payload: must be a JSON object'],
  [{}, 'mode: is missing'],
  [{ mode: 'delta', count: 1 }, `mode: must be 'deltas' or 'rows'`],
  [{ mode: 'deltas' }, 'count: give either count or seconds'],
  [{ mode: 'deltas', count: 1, seconds: 1 }, 'count: give either count or seconds'],
  [{ mode: 'deltas', count: '1' }, 'count: must be a number'],
  [{ mode: 'deltas', count: 0 }, 'count: must be at least 1'],
  [{ mode: 'deltas', count: 1.5 }, 'count: must be a whole number'],
  [{ mode: 'rows', seconds: 0 }, 'seconds: must be greater than 0'],
  [{ mode: 'rows', count: 1, eventsPerSecond: -1 }, 'eventsPerSecond: must be greater than 0'],
  [{ mode: 'rows', count: 1, eventPerSecond: 5 }, 'eventPerSecond: is not known'],
  [{ mode: 'rows', count: 1, age: { min: 1, max: 2 } }, 'age: is not known'],
  [{ mode: 'rows', count: 1, weights: { insert: 1 } }, 'weights.insert: is not known'],
  [{ mode: 'rows', count: 1, weights: { update: -1 } }, 'weights.update: must not be negative'],
  [{ mode: 'rows', count: 1, weights: {} }, 'weights: must not all be 0'],
  [{ mode: 'rows', count: 1, balance: { min: 2 } }, 'balance.max: is missing'],
  [{ mode: 'rows', count: 1, balance: { min: 2, max: 1 } }, 'balance.min: must not be greater than balance.max'],
  [{ mode: 'deltas', count: 1, age: { min: 18, max: 2 ** 31 } }, 'age.max: must be at most 2147483647'],
])('%j is refused with the name of the field', (payload, message) => {
  expect(() => parsePayload(payload)).toThrow(
    expect.objectContaining({ name: 'InvalidPayloadError', message: `${message}; docs/producer.md lists every field` }),
  )
})
