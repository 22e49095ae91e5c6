import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { batchLimitBytes } from './batch.ts'
import type { Fetched } from './consumer-group.ts'
import { makeEventFrame } from './event.ts'
import { makePolledPartition, pollBroker } from './poll-loop.ts'
import { makePollPace } from './poll-pace.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** What a broker sends for topic partition 0: one record with a value of this many bytes. */
function fetched(offset: number, bytes: number): Fetched {
  const value = Buffer.alloc(bytes)
  const record = { length: 0, attributes: 0, timestampDelta: 0n, offsetDelta: 0, key: null, value, headers: [] }
  const batch = { firstOffset: BigInt(offset), lastOffsetDelta: 0, firstTimestamp: 0n, maxTimestamp: 0n }
  const records = [{ ...batch, attributes: 0, producerId: -1n, records: [record] }]
  return {
    partitionIndex: 0,
    highWatermark: BigInt(offset + 1),
    abortedTransactions: [],
    records,
  } as unknown as Fetched
}

/** Polls a broker that has one more record of `bytes` for each poll, and ten at most. */
async function poll(bytes: number, windowMs: number, isBusy: () => boolean) {
  const stop = new AbortController()
  const pace = makePollPace(windowMs, isBusy)
  const offsets: number[] = []
  const member = {
    startingOffsets: async () => new Map<number, bigint>(),
    fetch: async (_node: number, positions: Map<number, bigint>) => {
      const offset = Number(positions.get(0))
      offsets.push(offset)
      if (offset === 9) stop.abort()
      return [fetched(offset, bytes)]
    },
  }
  const partition = makePolledPartition('t', makeEventFrame('arn', 'b'), { partition: 0, leader: 1, offset: 0n })
  const taken = () => void partition.queue.take(10, batchLimitBytes)
  const observer = { onRecords: taken, onPolled: taken, onTooLarge: taken, onOffsetLost: taken }
  const polling = pollBroker(member, [partition], {
    ...{ room: async () => undefined, more: pace.more, signal: stop.signal, observer },
  })
  await vi.advanceTimersByTimeAsync(0)
  return {
    polls: () => offsets.length,
    pace,
    async end() {
      stop.abort()
      pace.again()
      await polling
    },
  }
}

test('a record is delivered as soon as it is there, while nothing is being done', async () => {
  const { polls, end } = await poll(100, 0, () => false)
  expect(polls()).toBe(10)
  await end()
})

test('while the function works, records that arrive one by one are polled for together', async () => {
  const { polls, end } = await poll(100, 0, () => true)
  expect(polls()).toBe(1)
  await vi.advanceTimersByTimeAsync(9)
  expect(polls()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(polls()).toBe(2)
  await end()
})

test('records that are there when an invocation ends are in the next one', async () => {
  const { polls, pace, end } = await poll(100, 0, () => true)
  pace.again()
  await vi.advanceTimersByTimeAsync(0)
  expect(polls()).toBe(2)
  await end()
})

test.each([
  { windowMs: 500, pauseMs: 50 },
  { windowMs: 1_000, pauseMs: 100 },
  { windowMs: 300_000, pauseMs: 100 },
])('in a window of $windowMs ms little is polled for every $pauseMs ms', async ({ windowMs, pauseMs }) => {
  const { polls, end } = await poll(100, windowMs, () => true)
  await vi.advanceTimersByTimeAsync(3 * pauseMs)
  expect(polls()).toBe(4)
  await end()
})

test('a topic partition that has much is polled without a pause, however busy the function is', async () => {
  const { polls, end } = await poll(100_000, 1_000, () => true)
  expect(polls()).toBe(10)
  await end()
})
