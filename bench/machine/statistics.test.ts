import { expect, test } from 'vitest'
import { pairedRatios, percentile, spreadOf } from './statistics.ts'

test('the median of an odd number of runs is the middle one, of an even number the mean of the middle two', () => {
  expect(spreadOf([30, 10, 20])).toEqual({ median: 20, least: 10, most: 30 })
  expect(spreadOf([40, 10, 30, 20])).toEqual({ median: 25, least: 10, most: 40 })
  expect(spreadOf([7])).toEqual({ median: 7, least: 7, most: 7 })
})

test('values are ordered as numbers, and stay as they were', () => {
  const values = [100, 9, 20]

  expect(spreadOf(values)).toEqual({ median: 20, least: 9, most: 100 })
  expect(values).toEqual([100, 9, 20])
})

test('a percentile is one of the values, the greatest one for the whole', () => {
  const values = Array.from({ length: 100 }, (_, n) => 100 - n)

  expect(percentile(values, 0.5)).toBe(51)
  expect(percentile(values, 0.99)).toBe(100)
  expect(percentile(values, 1)).toBe(100)
  expect(percentile([3], 0.5)).toBe(3)
})

test('a ratio is that of one turn, so that a machine that becomes slower does not change it', () => {
  const ours = [10, 20, 40]
  const peers = [20, 40, 80]

  expect(pairedRatios(ours, peers)).toEqual([0.5, 0.5, 0.5])
})

test('a turn that only one side has finished has no ratio', () => {
  expect(pairedRatios([10, 20], [10])).toEqual([1])
  expect(pairedRatios([10], [10, 20])).toEqual([1])
})
