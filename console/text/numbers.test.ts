import { expect, test } from 'vitest'
import {
  differenceOf,
  formatBytes,
  formatCount,
  formatDuration,
  formatQuantity,
  formatRate,
  groupDigits,
} from './numbers.ts'

test('digits of a number of any length are grouped, and none is lost', () => {
  expect(groupDigits('9223372036854775807')).toBe('9,223,372,036,854,775,807')
  expect(groupDigits('-1234')).toBe('-1,234')
  expect(groupDigits('12.50')).toBe('12.50')
  expect(differenceOf('9223372036854775807', '9223372036854775805')).toBe('2')
})

test('counts and quantities are whole', () => {
  expect(formatCount(1_234_567.4)).toBe('1,234,567')
  expect(formatQuantity(1, 'row')).toBe('1 row')
  expect(formatQuantity(0, 'row')).toBe('0 rows')
})

test('a slow rate keeps a decimal, and a fast one does not', () => {
  expect([0, 0.42, 9.94, 9.96, 1204].map(formatRate)).toEqual(['0/s', '0.4/s', '9.9/s', '10/s', '1,204/s'])
})

test('durations have at most two units', () => {
  expect([0.4, 999, 999.6, 1_300, 59_960, 125_000, 12_000_000, 400_000_000].map(formatDuration)).toEqual([
    '0 ms',
    '999 ms',
    '1.0 s',
    '1.3 s',
    '0 min 59 s',
    '2 min 5 s',
    '3 h 20 min',
    '5 days',
  ])
})

test('bytes are shown in powers of 1024', () => {
  expect([0, 512, 1024, 1_572_864].map(formatBytes)).toEqual(['0 B', '512 B', '1.0 kB', '1.5 MB'])
})
