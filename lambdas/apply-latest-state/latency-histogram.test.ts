import fc from 'fast-check'
import { expect, test } from 'vitest'
import { histogramOf } from './latency-histogram.ts'

test('no more than 100 values whatever the latencies, each at least as long and at most a tenth longer', () => {
  const latencies = Array.from({ length: 20_000 }, (_, i) => 1.0007 ** i)
  expect(histogramOf(latencies.filter((ms) => ms < 600_000)).Values.length).toBeLessThanOrEqual(100)
  fc.assert(
    fc.property(fc.double({ min: 10, max: 1000, noNaN: true }), (ms) => {
      const [value] = histogramOf([ms]).Values
      expect(value!).toBeGreaterThanOrEqual(ms)
      expect(value!).toBeLessThanOrEqual(ms * 1.2 + 0.5)
    }),
  )
})
