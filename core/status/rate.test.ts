import { expect, test } from 'vitest'
import { Rate } from './rate.ts'

test('a rate is the growth over the stretch, and begins again with its counter', () => {
  const rate = new Rate(5_000)

  const rates = [0, 100, 200, 300, 400, 500, 500, 500, 500, 500, 500, 500].map((total, second) =>
    rate.perSecond(total, second * 1_000),
  )

  expect(rates).toEqual([0, 100, 100, 100, 100, 100, 80, 60, 40, 20, 0, 0])
  expect([rate.perSecond(10, 12_000), rate.perSecond(60, 13_000)]).toEqual([0, 50])
})
