import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { answeredDispatcher, success } from '#test-support/kafka/answered-dispatcher.ts'
import { readMapping } from '../definition/mapping-definition.ts'

// Source of each test: the text of CreateEventSourceMapping in the API, unless it names a page of the developer guide.

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const read = (more: object) =>
  readMapping({ EventSourceArn: 'arn', FunctionName: 'f', Topics: ['orders'], StartingPosition: 'LATEST', ...more })

// BatchSize: "Default 100. Max 10,000".
test('BatchSize is 100, or from 1 to 10,000', () => {
  expect([read({}), read({ BatchSize: 1 }), read({ BatchSize: 10_000 })].map(({ batchSize }) => batchSize)).toEqual([
    100, 1, 10_000,
  ])
  for (const BatchSize of [0, 10_001, 1.5])
    expect(() => read({ BatchSize })).toThrow('BatchSize must be a whole number')
})

// MaximumBatchingWindowInSeconds: "any value from 0 seconds to 300 seconds in increments of seconds"; 500 ms by default.
test('the window is 500 ms, or from 0 to 300 whole seconds', () => {
  const windows = [{}, { MaximumBatchingWindowInSeconds: 0 }, { MaximumBatchingWindowInSeconds: 300 }].map(
    (more) => read(more).windowMs,
  )

  expect(windows).toEqual([500, 0, 300_000])
  for (const MaximumBatchingWindowInSeconds of [-1, 0.5, 301]) {
    expect(() => read({ MaximumBatchingWindowInSeconds })).toThrow(
      'MaximumBatchingWindowInSeconds must be a whole number',
    )
  }
})

// "Batching behavior": the window is over, the batch size is met, or the payload reaches 6 MB.
test.each([
  ['the window is over', 1, String, 500],
  ['there are BatchSize records', 4, String, 0],
  ['6 MB have come', 3, () => JSON.stringify('x'.repeat(2_500_000)), 0],
])('a batch is sent when %s', async (_, count, json, afterMs) => {
  const { dispatcher, sources, calls, arrive } = answeredDispatcher(1, { windowMs: 500, batchSize: 4 })
  dispatcher.assign(sources)

  arrive(0, count, json)
  await vi.advanceTimersByTimeAsync(Math.max(0, afterMs - 1))
  expect(calls).toHaveLength(afterMs === 0 ? 1 : 0)
  await vi.advanceTimersByTimeAsync(2)

  expect(calls).toHaveLength(1)
})

// "Using Lambda with Amazon MSK": in order for each partition; several are processed at once.
test('topic partitions are in flight at once, each in order, as far as the pollers go', async () => {
  const { dispatcher, sources, calls, arrive, settle } = answeredDispatcher(3, { concurrency: 2, batchSize: 2 })
  dispatcher.assign(sources)

  for (const partition of [0, 1, 2]) arrive(partition, 4)
  expect(calls.map(({ records }) => records)).toEqual([{ 't-0': [0, 1] }, { 't-1': [0, 1] }])
  calls[0]!.answer(success)
  await settle()

  expect(calls[2]!.records).toHaveProperty(['t-0'], [2, 3])
})

// ProvisionedPollerConfig: minimum 1 to 200, maximum 1 to 2,000, 200 by default.
test('pollers are from 1 to 200 at least and from 1 to 2,000 at most', () => {
  const most = (ProvisionedPollerConfig: object) => read({ ProvisionedPollerConfig }).maximumPollers

  expect([most({ MinimumPollers: 1 }), most({ MinimumPollers: 200, MaximumPollers: 2000 }), most({})]).toEqual([
    200,
    2000,
    undefined,
  ])
  expect(() => most({ MinimumPollers: 201 })).toThrow('MinimumPollers must be a whole number from 1 to 200')
  expect(() => most({ MaximumPollers: 2001 })).toThrow('MaximumPollers must be a whole number from 1 to 2000')
  expect(() => most({ MinimumPollers: 3, MaximumPollers: 2 })).toThrow('MinimumPollers is greater than MaximumPollers')
})

// StartingPosition: TRIM_HORIZON, LATEST, AT_TIMESTAMP with StartingPositionTimestamp.
test('the starting position is one of three', () => {
  const at = (StartingPosition: string, more: object = {}) => read({ StartingPosition, ...more }).startingPosition

  expect([at('TRIM_HORIZON'), at('LATEST'), at('AT_TIMESTAMP', { StartingPositionTimestamp: 1_700_000_000 })]).toEqual([
    'TRIM_HORIZON',
    'LATEST',
    { timestampMs: 1_700_000_000_000 },
  ])
  expect(() => at('AT_TIMESTAMP')).toThrow('AT_TIMESTAMP needs StartingPositionTimestamp')
})
