import { expect, test } from 'vitest'
import { stagesOf } from './stages.ts'

test('the record of a row divides its time into stages, and a row without a record is left out', () => {
  const rows = [
    { id: 1, committedMs: 100, seenMs: 150 },
    { id: 2, committedMs: 200, seenMs: 260 },
  ]

  const stages = stagesOf(rows, [
    { id: 1, readMs: 110, sentMs: 112 },
    { id: 3, readMs: 999, sentMs: 999 },
  ])

  expect(stages).toEqual({
    log: { p50: 10, p95: 10, p99: 10 },
    sent: { p50: 2, p95: 2, p99: 2 },
    applied: { p50: 38, p95: 38, p99: 38 },
  })
})

test('a clock of whole milliseconds that is behind the one of the writer makes no stage negative', () => {
  const stages = stagesOf([{ id: 1, committedMs: 100.9, seenMs: 102 }], [{ id: 1, readMs: 100, sentMs: 101 }])

  expect(stages.log.p50).toBe(0)
})
