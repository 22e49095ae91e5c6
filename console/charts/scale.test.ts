import { expect, test } from 'vitest'
import { nearest, pathOf, timeTicks, valueTicks } from './scale.ts'

const labels = (ticks: readonly { readonly label: string }[]) => ticks.map(({ label }) => label)

test('values have round ticks that reach beyond the largest', () => {
  expect(labels(valueTicks(0, 87, 4, String))).toEqual(['0', '25', '50', '75', '100'])
  expect(labels(valueTicks(0, 0, 4, String)).length).toBeGreaterThan(1)
  expect(labels(valueTicks(0, 1_000_000, 4, String)).at(-1)).toBe('1000000')
  expect(labels(valueTicks(-30, 87, 4, String))).toEqual(['-50', '0', '50', '100'])
})

test('times have round ticks in the zone', () => {
  const from = Date.parse('2026-11-30T13:58:00Z') / 1_000

  expect(labels(timeTicks(from, from + 900, 5, 0))).toEqual(['14:00', '14:05', '14:10'])
  expect(labels(timeTicks(from, from + 20, 5, 0))).toEqual(['13:58:00', '13:58:05', '13:58:10', '13:58:15', '13:58:20'])
  expect(labels(timeTicks(from, from + 86_400, 6, 3_600))).toEqual(['18:00', '12-01', '06:00', '12:00'])
})

test('ticks of years of data are still few', () => {
  expect(timeTicks(0, 60 * 365 * 86_400, 6, 0).length).toBeLessThanOrEqual(7)
})

test('the nearest time is found', () => {
  expect([0, 14, 15.1, 99].map((at) => nearest([10, 20, 30], at))).toEqual([0, 0, 1, 2])
})

test('a value that is missing interrupts the line', () => {
  expect(pathOf([0, 1, 2, 3], [1, null, 2, 3])).toBe('M0.0 1.0M2.0 2.0L3.0 3.0')
})
