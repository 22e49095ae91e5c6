import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeEventQueue } from './event-queue.ts'
import type { Outcome } from './invocation.ts'

const success: Outcome = { payload: Buffer.from('null'), logTail: '' }
const failure: Outcome = { payload: Buffer.from('{"errorType":"Error"}'), functionError: 'Unhandled', logTail: '' }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function queueFor(tryInvoke: (payload: Buffer) => Promise<Outcome> | undefined) {
  const log: string[] = []
  const queue = makeEventQueue({ tryInvoke, retryDelaysMs: [60_000, 120_000], onLog: (line) => log.push(line) })
  return { queue, log }
}

test('a failing event is tried three times, after one and two minutes, and then discarded aloud', async () => {
  const tryInvoke = vi.fn(async () => failure)
  const { queue, log } = queueFor(tryInvoke)

  queue.push(Buffer.from('{}'))
  await vi.advanceTimersByTimeAsync(59_999)
  expect(tryInvoke).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(tryInvoke).toHaveBeenCalledTimes(2)
  await vi.advanceTimersByTimeAsync(120_000)
  expect(tryInvoke).toHaveBeenCalledTimes(3)
  await vi.advanceTimersByTimeAsync(3_600_000)

  expect(tryInvoke).toHaveBeenCalledTimes(3)
  expect(log).toEqual(['event discarded, the function failed 3 times: {"errorType":"Error"}'])
})

test('a process that cannot be started counts as a failure', async () => {
  const tryInvoke = vi
    .fn<(payload: Buffer) => Promise<Outcome>>()
    .mockRejectedValueOnce(new Error('no process'))
    .mockResolvedValue(success)
  const { queue, log } = queueFor(tryInvoke)

  queue.push(Buffer.from('{}'))
  await vi.advanceTimersByTimeAsync(3_600_000)

  expect(tryInvoke).toHaveBeenCalledTimes(2)
  expect(log).toEqual([])
})

test('events wait while the concurrency is used up, and are handed out in order when it is not', async () => {
  let free = false
  const taken: string[] = []
  const { queue } = queueFor((payload) => {
    if (!free) return undefined
    taken.push(payload.toString())
    return Promise.resolve(success)
  })

  queue.push(Buffer.from('1'))
  queue.push(Buffer.from('2'))
  expect(taken).toEqual([])
  free = true
  queue.drain()

  expect(taken).toEqual(['1', '2'])
})
