import { expect, test } from 'vitest'
import { type Clock, paced } from './pace.ts'

/** A clock that only advances by sleep and work. */
function makeClock(): Clock & { work(ms: number): void } {
  let now = 5_000
  return {
    now: () => now,
    work: (ms) => {
      now += ms
    },
    sleep: async (ms, signal) => {
      if (signal?.aborted !== true) now += ms
    },
  }
}

test('at 100 a second each unit is handed out alone and at its own time', async () => {
  const clock = makeClock()
  const handedOut: [number, number][] = []

  for await (const count of paced({ total: 50, perSecond: 100, largest: 1000 }, clock)) {
    handedOut.push([clock.now() - 5_000, count])
    clock.work(3)
  }

  expect(handedOut).toEqual(Array.from({ length: 50 }, (_, k) => [k * 10, 1]))
})

test.each([1, 7, 30, 100, 333, 1_000, 25_000])(
  '%d a second does not drift and is never ahead of time',
  async (rate) => {
    const clock = makeClock()
    let done = 0

    for await (const count of paced({ total: rate * 20, perSecond: rate, largest: 5_000 }, clock)) {
      done += count
      expect(((done - 1) * 1000) / rate).toBeLessThanOrEqual(clock.now() - 5_000 + 1e-6)
      clock.work(0.7)
    }

    const elapsedMs = clock.now() - 5_000
    expect(done).toBe(rate * 20)
    expect(elapsedMs).toBeGreaterThan(20_000 - 1000 / rate - 1)
    expect(elapsedMs).toBeLessThan(20_015)
  },
)

test('units due within one tick of 10 ms are handed out together', async () => {
  const clock = makeClock()
  const counts: number[] = []

  for await (const count of paced({ total: 501, perSecond: 5_000, largest: 1_000 }, clock)) {
    counts.push(count)
    clock.work(0.3)
  }

  expect(counts).toEqual([1, ...Array(10).fill(50)])
})

test('a stall is caught up in portions no larger than the largest', async () => {
  const clock = makeClock()
  const counts: number[] = []

  for await (const count of paced({ total: 300, perSecond: 100, largest: 60 }, clock)) {
    counts.push(count)
    if (counts.length === 1) clock.work(2_000)
  }

  expect(counts.slice(0, 6)).toEqual([1, 60, 60, 60, 20, 1])
  expect(clock.now() - 5_000).toBeCloseTo(2_990)
})

test('without a rate everything is due at once, in portions', async () => {
  const clock = makeClock()
  const counts: number[] = []

  for await (const count of paced({ total: 25, perSecond: Infinity, largest: 10 }, clock)) counts.push(count)

  expect(counts).toEqual([10, 10, 5])
  expect(clock.now()).toBe(5_000)
})

test('an abort ends it without another unit', async () => {
  const clock = makeClock()
  const abort = new AbortController()
  const counts: number[] = []

  for await (const count of paced({ total: Infinity, perSecond: 10, largest: 10, signal: abort.signal }, clock)) {
    counts.push(count)
    if (counts.length === 4) abort.abort()
  }

  expect(counts).toEqual([1, 1, 1, 1])
})
