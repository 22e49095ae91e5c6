import fc from 'fast-check'
import { expect, test } from 'vitest'
import { times } from '#test-support/windows/event-times.ts'
import { readEventTime } from './event-time.ts'

test.each(times)('%s is %s µs since 1970', (text, micros) => {
  expect(readEventTime(text)).toBe(micros)
})

test('a null and an infinite time are no event time', () => {
  expect(readEventTime(null)).toBe('null')
  expect(readEventTime('infinity')).toBe('infinite')
  expect(readEventTime('-infinity')).toBe('infinite')
})

test('each time of the years 1 to 9999 is read as a Date reads it, in each form', () => {
  const date = fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  })
  fc.assert(
    fc.property(date, fc.integer({ min: 0, max: 999 }), (time, micros) => {
      const exact = BigInt(time.getTime()) * 1000n + BigInt(micros)
      const text = time.toISOString().replace('Z', `${micros}`.padStart(3, '0'))

      expect(readEventTime(`${text}Z`)).toBe(exact)
      expect(readEventTime(text.replace('T', ' '))).toBe(exact)
    }),
  )
})

test.each(['', 'now', '2024-02-30', '2024-01-01 00:00:00+02', '2024-01-01x'])('%o is no time', (text) => {
  expect(() => readEventTime(text)).toThrow(RangeError)
})
