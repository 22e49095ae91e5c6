import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import { answeredDispatcher, failure, success, throttle } from '#test-support/kafka/answered-dispatcher.ts'
import { makeChunk } from '#test-support/kafka/record-chunk.ts'
import { RecordQueue } from '../polling/record-queue.ts'
import type { DispatcherOptions } from './dispatcher.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('without a window records are sent as soon as they arrive', () => {
  const { dispatcher, sources, calls, arrive } = answeredDispatcher(1)
  dispatcher.assign(sources)

  arrive(0, 2)

  expect(calls.map(({ records }) => records)).toEqual([{ 't-0': [0, 1] }])
})

test('a window gathers records until its first one has waited for it, or the batch is full', async () => {
  const { dispatcher, sources, calls, arrive } = answeredDispatcher(2, { windowMs: 500, batchSize: 4 })
  dispatcher.assign(sources)

  arrive(0, 1)
  await vi.advanceTimersByTimeAsync(400)
  arrive(1, 1)
  await vi.advanceTimersByTimeAsync(99)
  expect(calls).toEqual([])
  await vi.advanceTimersByTimeAsync(2)
  expect(calls.map(({ records }) => records)).toEqual([{ 't-0': [0], 't-1': [0] }])

  calls[0]!.answer(success)
  await vi.advanceTimersByTimeAsync(0)
  arrive(0, 4)
  expect(calls[1]!.records).toEqual({ 't-0': [1, 2, 3, 4] })
})

test('topic partitions are in flight at once, none of them twice', async () => {
  const { dispatcher, sources, calls, arrive, settle } = answeredDispatcher(2)
  dispatcher.assign(sources)

  arrive(0, 1)
  arrive(0, 1)
  arrive(1, 1)
  expect(calls.map(({ records }) => records)).toEqual([{ 't-0': [0] }, { 't-1': [0] }])
  calls[0]!.answer(success)
  await settle()

  expect(calls[2]!.records).toEqual({ 't-0': [1] })
})

test('no more invocations run at once than the concurrency allows; what waits meanwhile goes together', async () => {
  const { dispatcher, sources, calls, arrive, settle } = answeredDispatcher(3, { concurrency: 1 })
  dispatcher.assign(sources)

  for (const partition of [0, 1, 2]) arrive(partition, 1)
  expect(calls).toHaveLength(1)
  calls[0]!.answer(success)
  await settle()

  expect(calls[1]!.records).toEqual({ 't-1': [0], 't-2': [0] })
})

/**
 * Answers the first batch with `answer` as often as there are delays, and checks that it is repeated after each delay.
 */
async function repeat({ calls }: ReturnType<typeof answeredDispatcher>, answer: InvocationAnswer, delays: number[]) {
  for (const [attempt, retryInMs] of delays.entries()) {
    calls[attempt]!.answer(answer)
    await vi.advanceTimersByTimeAsync(retryInMs - 1)
    expect(calls).toHaveLength(attempt + 1)
    await vi.advanceTimersByTimeAsync(1)
    expect(calls[attempt + 1]!.records).toEqual({ 't-0': [0, 1] })
  }
}

test('an error repeats the same batch, later and later, before anything else of its topic partition', async () => {
  const set = answeredDispatcher(1)
  set.dispatcher.assign(set.sources)
  set.arrive(0, 2)
  set.arrive(0, 1)

  await repeat(set, failure, [100, 200, 400])
  set.calls[3]!.answer(success)
  await set.settle()

  expect(set.calls[4]!.records).toEqual({ 't-0': [2] })
  expect(set.log).toEqual([
    't-0 failed: Error: no; again in 100',
    't-0 failed: Error: no; again in 200',
    't-0 failed: Error: no; again in 400',
    't-0 processed below 2',
  ])
})

test('a throttle repeats the same batch soon: the function is busy, not broken', async () => {
  const set = answeredDispatcher(1)
  set.dispatcher.assign(set.sources)
  set.arrive(0, 2)

  await repeat(set, throttle, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000])
  set.calls[10]!.answer(success)
  await set.settle()

  expect(set.log.at(0)).toBe('t-0 throttled 1')
  expect(set.log.slice(-2)).toEqual(['t-0 throttled 10', 't-0 processed below 2'])
})

test('a function that cannot be started is tried again, too', async () => {
  const invoke = vi
    .fn<DispatcherOptions['invoke']>()
    .mockRejectedValueOnce(new Error('EAGAIN'))
    .mockResolvedValue(success)
  const { dispatcher, sources, log, arrive } = answeredDispatcher(1, { invoke })
  dispatcher.assign(sources)

  arrive(0, 1)
  await vi.advanceTimersByTimeAsync(100)

  expect(log).toEqual(['t-0 failed: Error: EAGAIN; again in 100', 't-0 processed below 1'])
})

test('while a batch waits for its next attempt the others go on, within the concurrency', async () => {
  const { dispatcher, sources, calls, arrive, settle } = answeredDispatcher(2, { concurrency: 1 })
  dispatcher.assign(sources)

  arrive(0, 1)
  calls[0]!.answer(failure)
  await settle()
  arrive(1, 1)

  expect(calls[1]!.records).toEqual({ 't-1': [0] })
})

test('reported records are a batch of their own from then on; what lies before them is processed', async () => {
  const { dispatcher, sources, calls, log, arrive, settle } = answeredDispatcher(2, { reportsItemFailures: true })
  sources[0]!.queue.push(makeChunk(['0', '1', '2'], [0, 1, 2], [0, 0, 0], 0))
  sources[1]!.queue.push(makeChunk(['0'], [0], [0], 0))
  dispatcher.assign(sources)

  const failed = { batchItemFailures: [{ itemIdentifier: { partition: 't-0', offset: 1 } }] }
  calls[0]!.answer({ ...success, payload: Buffer.from(JSON.stringify(failed)) })
  await settle()
  expect(log).toEqual([
    't-0 processed below 1',
    't-1 processed below 1',
    't-0 failed: the function reported batch item failures; again in 100',
  ])
  arrive(1, 1)
  await vi.advanceTimersByTimeAsync(100)

  expect(calls.slice(1).map(({ records }) => records)).toEqual([{ 't-1': [0] }, { 't-0': [1, 2] }])
})

test('revoking waits for what runs, counts it, and begins nothing more', async () => {
  const { dispatcher, sources, calls, log, arrive, settle } = answeredDispatcher(2)
  dispatcher.assign(sources)
  arrive(0, 1)
  const revoked = vi.fn()

  void dispatcher.revoke().then(revoked)
  arrive(0, 1)
  arrive(1, 1)
  await settle()
  expect(revoked).not.toHaveBeenCalled()
  calls[0]!.answer(success)
  await settle()

  expect(revoked).toHaveBeenCalled()
  expect(calls).toHaveLength(1)
  expect(log).toEqual(['t-0 processed below 1'])
})

test('a batch that fails while it is revoked is not tried again under the next assignment', async () => {
  const { dispatcher, sources, calls, arrive } = answeredDispatcher(1)
  dispatcher.assign(sources)
  arrive(0, 1)

  const revoked = dispatcher.revoke()
  calls[0]!.answer(failure)
  await revoked
  dispatcher.assign([{ name: 't-0', queue: new RecordQueue() }])
  await vi.advanceTimersByTimeAsync(60_000)

  expect(calls).toHaveLength(1)
})

test('revoking gives failed batches up', async () => {
  const { dispatcher, sources, calls, arrive } = answeredDispatcher(1)
  dispatcher.assign(sources)
  arrive(0, 1)
  calls[0]!.answer(failure)
  await vi.advanceTimersByTimeAsync(50)

  await dispatcher.revoke()
  await vi.advanceTimersByTimeAsync(60_000)

  expect(calls).toHaveLength(1)
})

test('a topic partition that was assigned again is not delivered while an earlier invocation still has it', async () => {
  const before = answeredDispatcher(1)
  const { dispatcher, calls, log, settle } = before
  dispatcher.assign(before.sources)
  before.arrive(0, 1)
  void dispatcher.revoke()

  const queue = new RecordQueue()
  queue.push(makeChunk(['0', '1'], [0, 1], [0, 0], 0))
  dispatcher.assign([{ name: 't-0', queue }])
  expect(calls).toHaveLength(1)
  calls[0]!.answer(success)
  await settle()

  expect(log).toEqual([])
  expect(calls[1]!.records).toEqual({ 't-0': [0, 1] })
})
