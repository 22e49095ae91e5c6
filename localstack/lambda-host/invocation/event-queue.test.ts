import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type FinishedEvent, makeEventQueue } from './event-queue.ts'
import { type EventSettings, usualEventSettings } from './event-settings.ts'
import type { InvocationEvent, Outcome } from './invocation.ts'

// Source of every rule here: AWS Lambda developer guide, "How Lambda handles errors and retries with asynchronous
// invocation" and "Configuring error handling settings for Lambda asynchronous invocations".

const success: Outcome = { payload: Buffer.from('null'), logTail: '' }
const failure: Outcome = { payload: Buffer.from('{"errorType":"Error"}'), functionError: 'Unhandled', logTail: '' }
const event = (requestId: string): InvocationEvent => ({ requestId, payload: Buffer.from('{}') })
const minute = 60_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type TryInvoke = (event: InvocationEvent) => Promise<Outcome> | undefined

function queueFor(tryInvoke: TryInvoke, settings: Partial<EventSettings> = {}, refusesAll = false) {
  const finished: (Pick<FinishedEvent, 'condition' | 'invocations'> & { id: string })[] = []
  const queue = makeEventQueue({
    tryInvoke,
    settings: () => ({ ...usualEventSettings, ...settings }),
    retryDelaysMs: [minute, 2 * minute],
    refusesAll,
    onFinished: ({ event: { requestId: id }, condition, invocations }) => finished.push({ id, condition, invocations }),
  })
  return { queue, finished }
}

test('a failing event is tried three times, after one and two minutes, and then discarded', async () => {
  const tryInvoke = vi.fn(async () => failure)
  const { queue, finished } = queueFor(tryInvoke)

  queue.push(event('a'))
  await vi.advanceTimersByTimeAsync(minute - 1)
  expect(tryInvoke).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(tryInvoke).toHaveBeenCalledTimes(2)
  await vi.advanceTimersByTimeAsync(2 * minute)
  expect(tryInvoke).toHaveBeenCalledTimes(3)
  await vi.advanceTimersByTimeAsync(60 * minute)

  expect(tryInvoke).toHaveBeenCalledTimes(3)
  expect(finished).toEqual([{ id: 'a', condition: 'RetriesExhausted', invocations: 3 }])
})

test.each([0, 1])('MaximumRetryAttempts %i leaves that many retries', async (maximumRetryAttempts) => {
  const { queue, finished } = queueFor(async () => failure, { maximumRetryAttempts })

  queue.push(event('a'))
  await vi.advanceTimersByTimeAsync(60 * minute)

  expect(finished).toEqual([{ id: 'a', condition: 'RetriesExhausted', invocations: 1 + maximumRetryAttempts }])
})

test('an event that succeeds is finished after the retries it needed', async () => {
  const tryInvoke = vi.fn<TryInvoke>().mockResolvedValueOnce(failure).mockResolvedValue(success)
  const { queue, finished } = queueFor(tryInvoke)

  queue.push(event('a'))
  await vi.advanceTimersByTimeAsync(minute)

  expect(finished).toEqual([{ id: 'a', condition: 'Success', invocations: 2 }])
})

test('an event that would be older than MaximumEventAgeInSeconds at its next retry is discarded at once', async () => {
  const { queue, finished } = queueFor(async () => failure, { maximumEventAgeSeconds: 90 })

  queue.push(event('a'))
  await vi.advanceTimersByTimeAsync(minute)

  expect(finished).toEqual([{ id: 'a', condition: 'EventAgeExceeded', invocations: 2 }])
})

test('an event that waits for concurrency is discarded when it is older than MaximumEventAgeInSeconds', async () => {
  const { queue, finished } = queueFor(() => undefined, { maximumEventAgeSeconds: 60 })

  queue.push(event('a'))
  await vi.advanceTimersByTimeAsync(minute - 1)
  expect(finished).toEqual([])
  await vi.advanceTimersByTimeAsync(1)

  expect(finished).toEqual([{ id: 'a', condition: 'EventAgeExceeded', invocations: 0 }])
})

test('with a reserved concurrency of 0 an event is discarded without any retry', () => {
  const tryInvoke = vi.fn<TryInvoke>()
  const { queue, finished } = queueFor(tryInvoke, {}, true)

  queue.push(event('a'))

  expect(tryInvoke).not.toHaveBeenCalled()
  expect(finished).toEqual([{ id: 'a', condition: 'ZeroReservedConcurrency', invocations: 0 }])
})

test('a process that cannot be started counts as a failure', async () => {
  const tryInvoke = vi.fn<TryInvoke>().mockRejectedValueOnce(new Error('no process')).mockResolvedValue(success)
  const { queue, finished } = queueFor(tryInvoke)

  queue.push(event('a'))
  await vi.advanceTimersByTimeAsync(60 * minute)

  expect(tryInvoke).toHaveBeenCalledTimes(2)
  expect(finished).toMatchObject([{ condition: 'Success' }])
})

test('events wait while the concurrency is used up, and are handed out in order when it is not', async () => {
  let free = false
  const taken: string[] = []
  const { queue, finished } = queueFor(({ requestId }) => {
    if (!free) return undefined
    taken.push(requestId)
    return Promise.resolve(success)
  })

  queue.push(event('1'))
  queue.push(event('2'))
  expect(taken).toEqual([])
  free = true
  queue.drain()
  await vi.advanceTimersByTimeAsync(0)

  expect(taken).toEqual(['1', '2'])
  expect(finished.map(({ id }) => id)).toEqual(['1', '2'])
})

test('a queue that is stopped tries nothing again and discards nothing', async () => {
  const tryInvoke = vi.fn(async () => failure)
  const { queue, finished } = queueFor(tryInvoke)

  queue.push(event('a'))
  await vi.advanceTimersByTimeAsync(1)
  queue.stop()
  await vi.advanceTimersByTimeAsync(60 * minute)

  expect(tryInvoke).toHaveBeenCalledTimes(1)
  expect(finished).toEqual([])
})
