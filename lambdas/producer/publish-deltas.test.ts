import { expect, test } from 'vitest'
import type { KeyedRecord } from '#adapters/kafka/record-publisher.ts'
import { parsePayload } from './payload.ts'
import { makeProduce } from './produce.ts'
import { makePublishDeltas } from './publish-deltas.ts'

function makeWorld({ publishMs = 2, failsAt = Infinity } = {}) {
  const records: KeyedRecord[] = []
  const printed: string[] = []
  let now = 0
  let closed = false
  const publishDeltas = makePublishDeltas({
    openPublisher: async () => ({
      publish: async (batch) => {
        now += publishMs
        if (records.length >= failsAt) throw new Error('the broker is gone')
        records.push(...batch)
      },
      close: async () => {
        closed = true
      },
    }),
    clock: {
      now: () => now,
      sleep: async (ms) => {
        now += ms
      },
    },
    now: () => 1_700_000_000_000 + now,
    random: Math.random,
    print: (line) => printed.push(line),
  })
  const produce = makeProduce({
    publishDeltas,
    simulateRows: () => Promise.reject(new Error('not this mode')),
  })
  return { produce, publishDeltas, records, printed, isClosed: () => closed, elapsedMs: () => now }
}

const plentyOfTime = { getRemainingTimeInMillis: () => 60_000 }

test('every delta is published, keyed by its user, at the rate, and the answer says what was published', async () => {
  const world = makeWorld()

  const answer = await world.produce({ mode: 'deltas', count: 500, eventsPerSecond: 50 }, plentyOfTime)

  const deltas = world.records.map(({ value }) => JSON.parse(value))
  expect(deltas.map((delta) => delta.event_order)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1))
  expect(world.records.map(({ key }) => key)).toEqual(deltas.map(({ id }) => String(id)))
  expect(new Set(deltas.map(({ run }) => run))).toEqual(new Set([1_700_000_000_000]))
  expect(world.elapsedMs()).toBeCloseTo(9_982)
  expect(answer).toMatchObject({ events: 500, endedBy: 'count', first: deltas[0], last: deltas[499] })
  expect(Object.values(answer.byOp).reduce((sum, count) => sum + count)).toBe(500)
  expect(answer.byOp['insert']).toBe(deltas.filter(({ op }) => op === 'insert').length)
  expect(world.isClosed()).toBe(true)
  expect(world.printed).toEqual([])
})

test('deltas are printed where that is asked for', async () => {
  const world = makeWorld()

  await world.produce({ mode: 'deltas', count: 3, print: true }, plentyOfTime)

  expect(world.printed).toEqual(world.records.map(({ value }) => value))
})

test('when its time ends the producer answers what it has published', async () => {
  const world = makeWorld()
  const ended = AbortSignal.abort()

  const answer = await world.publishDeltas(parsePayload({ mode: 'deltas', count: 3 }) as never, ended)

  expect(answer).toMatchObject({ events: 0, endedBy: 'time limit', first: null, last: null })
  expect(world.isClosed()).toBe(true)
})

test('a failed publish fails the invocation and the connection is closed', async () => {
  const world = makeWorld({ failsAt: 2 })

  await expect(world.produce({ mode: 'deltas', count: 5 }, plentyOfTime)).rejects.toThrow('the broker is gone')
  expect(world.isClosed()).toBe(true)
})

test('a malformed payload opens no connection', async () => {
  const produce = makeProduce({
    publishDeltas: () => Promise.reject(new Error('was called')),
    simulateRows: () => Promise.reject(new Error('was called')),
  })

  await expect(produce({ mode: 'deltas', count: 'all' }, plentyOfTime)).rejects.toThrow('count: must be a number')
})
