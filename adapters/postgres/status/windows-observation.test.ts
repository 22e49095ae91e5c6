import { expect, test } from 'vitest'
import { makeObserveWindows } from './windows-observation.ts'

test('definitions whose groups take long to count are counted less often', async () => {
  let nowMs = 0
  let reads = 0
  const observe = makeObserveWindows(
    async () => {
      reads++
      nowMs += 400
      return []
    },
    () => nowMs,
  )

  await observe()
  nowMs += 5_000
  await observe()
  expect(reads).toBe(1)

  nowMs += 5_000
  await observe()
  expect(reads).toBe(2)
})
