import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LONGEST_MICROS, readDuration, writeDuration } from './duration.ts'

test('a length of time that is written is read again', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: LONGEST_MICROS / 1_000n }), (milliseconds) => {
      expect(readDuration(writeDuration(milliseconds * 1_000n))).toBe(milliseconds * 1_000n)
    }),
  )
})

test('a length of time has the units that always last equally long', () => {
  expect(readDuration('1 hour 30 minutes')).toBe(5_400_000_000n)
  expect(readDuration('90s')).toBe(90_000_000n)
  expect(readDuration('1 year')).toBe('a year has no fixed length: write it in days')
  expect(writeDuration(-5_400_000_000n)).toBe('1 hour 30 minutes')
  expect(writeDuration(0n)).toBe('0 seconds')
})
