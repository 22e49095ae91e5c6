import { expect, test } from 'vitest'
import { formatAgo, formatExactTime, formatTime, inputOfTime, timeOfInput } from './times.ts'

const nowMs = Date.parse('2026-11-30T15:00:00Z')
const form = { zone: 'utc', nowMs, digits: 3 } as const

test('a time of today has no date, and any other has one', () => {
  expect(formatTime('2026-11-30T14:05:03.120999Z', form)).toBe('14:05:03.120')
  expect(formatTime('2026-11-29T14:05:03Z', form)).toBe('2026-11-29 14:05:03.000')
})

test('microseconds are those that are written', () => {
  expect(formatTime('2026-11-30T14:05:03.000001Z', { ...form, digits: 6 })).toBe('14:05:03.000001')
  expect(formatExactTime('2026-11-30T14:05:03.000001Z')).toBe('2026-11-30 14:05:03.000001 UTC')
})

test('what is no time is shown as it is', () => {
  expect(formatTime('infinity', form)).toBe('infinity')
  expect(formatExactTime('infinity')).toBe('infinity')
})

test('an age has one unit, and the future is now', () => {
  expect([-5, 0, 12_400, 130_000, 7_300_000, 500_000_000].map(formatAgo)).toEqual([
    'now',
    'now',
    '12 s ago',
    '2 min ago',
    '2 h ago',
    '5 days ago',
  ])
})

test('an input keeps the time that it was given', () => {
  expect(timeOfInput(inputOfTime('2026-11-30T14:05:03Z', 'utc'), 'utc')).toBe('2026-11-30T14:05:03.000Z')
  expect(timeOfInput(inputOfTime('2026-11-30T14:05:03Z', 'local'), 'local')).toBe('2026-11-30T14:05:03.000Z')
  expect(timeOfInput('', 'utc')).toBeNull()
})
