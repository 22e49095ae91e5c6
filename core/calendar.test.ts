import fc from 'fast-check'
import { expect, test } from 'vitest'
import { dayOf, daysSince1970 } from './calendar.ts'

const first = -719_162
const last = 2_932_896

test('days and the days since 1970 are those of the Gregorian calendar, both ways', () => {
  fc.assert(
    fc.property(fc.integer({ min: first, max: last }), (days) => {
      const { year, month, day } = dayOf(days)
      const iso = new Date(days * 86_400_000).toISOString().slice(0, 10)
      expect([year, month, day]).toEqual(iso.split('-').map(Number))
      expect(daysSince1970({ year, month, day })).toBe(days)
    }),
    { examples: [[first], [last], [0], [-1]] },
  )
})

test.each([
  [2026, 2, 29],
  [1900, 2, 29],
  [2026, 4, 31],
  [2026, 13, 1],
  [2026, 0, 1],
  [2026, 1, 0],
  [0, 1, 1],
])('there is no day %i-%i-%i', (year, month, day) => {
  expect(daysSince1970({ year, month, day })).toBeUndefined()
})
