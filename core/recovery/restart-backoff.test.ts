import { expect, test } from 'vitest'
import { nextRestartMs, whileRunning } from './restart-backoff.ts'

const minutes = (count: number) => count * 60_000

test('a failed task is started again at once, then after 1, 2, 4, 8, 15 and 15 minutes', () => {
  const waits = [0, 1, 2, 3, 4, 5, 6].map((count) => nextRestartMs({ count, lastMs: 0 }, 0))

  expect(waits).toEqual([0, 1, 2, 4, 8, 15, 15].map(minutes))
})

test('restarts are forgotten once the task has run for 15 minutes, not before', () => {
  const restarts = { count: 3, lastMs: 0 }

  expect(whileRunning(restarts, minutes(14))).toEqual(restarts)
  expect(whileRunning(restarts, minutes(15))).toEqual({ count: 0, lastMs: null })
})
