import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MOST_PIXELS, rowWindow, scrollTopOf } from './row-window.ts'

const list = { count: 1_000, rowHeight: 20, scrollTop: 0, viewport: 400 }

test('at the top, the rows of the region and a margin below it are drawn', () => {
  expect(rowWindow(list)).toEqual({ first: 0, end: 26, top: 0, height: 20_000 })
})

test('in the middle, a margin is drawn above and below', () => {
  expect(rowWindow({ ...list, scrollTop: 1_005 })).toEqual({ first: 44, end: 77, top: 880, height: 20_000 })
})

test('at the end, the last row is drawn', () => {
  expect(rowWindow({ ...list, scrollTop: 19_600 }).end).toBe(1_000)
})

test('an empty list has no rows and no height', () => {
  expect(rowWindow({ ...list, count: 0 })).toEqual({ first: 0, end: 0, top: 0, height: 0 })
})

test('a list that is shorter than its region is drawn whole', () => {
  expect(rowWindow({ ...list, count: 3, scrollTop: 50 })).toEqual({ first: 0, end: 3, top: 0, height: 60 })
})

test('a list that is too tall for a browser still ends with its last row', () => {
  const tall = { ...list, count: 5_000_000 }
  const end = rowWindow({ ...tall, scrollTop: MOST_PIXELS - tall.viewport })

  expect(end.height).toBe(MOST_PIXELS)
  expect(end.end).toBe(5_000_000)
})

test('what is scrolled to is drawn, wherever it is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000_000 }), fc.nat(), (count, any) => {
      const row = any % count
      const { first, end } = rowWindow({ ...list, count, scrollTop: scrollTopOf(row, { ...list, count }) })
      expect(row).toBeGreaterThanOrEqual(first)
      expect(row).toBeLessThan(end)
    }),
  )
})

test('the drawn rows always fill the region', () => {
  fc.assert(
    fc.property(fc.integer({ min: 20, max: 3_000_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (count, part) => {
      const height = Math.min(count * 20, MOST_PIXELS)
      const scrollTop = part * Math.max(0, height - 400)
      const { first, end, top } = rowWindow({ ...list, count, scrollTop })
      expect(top).toBeLessThanOrEqual(scrollTop + 0.01)
      expect(top + (end - first) * 20).toBeGreaterThanOrEqual(scrollTop + 400 - 0.01)
    }),
  )
})
