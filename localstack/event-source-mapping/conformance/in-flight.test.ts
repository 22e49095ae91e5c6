import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { answeredDispatcher, failure, success } from '#test-support/kafka/answered-dispatcher.ts'

// Source of each test: a page of the AWS Lambda developer guide, or the text of its API.

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

// "Process Apache Kafka messages": order per topic partition; whether two batches may be in flight is not documented.
test('two batches of a topic partition are in flight where that is allowed, and offsets are committed without a gap', async () => {
  const set = answeredDispatcher(1, { batchesInFlight: 2, batchSize: 2 })
  set.arrive(0, 6)
  set.dispatcher.assign(set.sources)

  expect(set.calls.map(({ records }) => records['t-0'])).toEqual([
    [0, 1],
    [2, 3],
  ])
  set.calls[1]!.answer(success)
  await set.settle()
  expect(set.log).toEqual([])
  expect(set.calls[2]!.records).toEqual({ 't-0': [4, 5] })
  set.calls[0]!.answer(success)
  await set.settle()
  expect(set.log).toEqual(['t-0 processed below 4'])
  set.calls[2]!.answer(success)
  await set.settle()
  expect(set.log.at(-1)).toBe('t-0 processed below 6')
})

// The same: a batch that has failed is not overtaken any further.
test('behind a batch that has failed nothing new of its topic partition begins', async () => {
  const set = answeredDispatcher(1, { batchesInFlight: 2, batchSize: 2 })
  set.arrive(0, 6)
  set.dispatcher.assign(set.sources)

  set.calls[0]!.answer(failure)
  set.calls[1]!.answer(success)
  await set.settle()
  expect(set.calls).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(100)
  expect(set.calls[2]!.records).toEqual({ 't-0': [0, 1] })
  set.calls[2]!.answer(success)
  await set.settle()

  expect(set.log.filter((line) => line.includes('processed'))).toEqual(['t-0 processed below 4'])
  expect(set.calls[3]!.records).toEqual({ 't-0': [4, 5] })
})
