import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation.ts'
import { answeredDispatcher, failure, success, throttle } from '#test-support/answered-dispatcher.ts'
import { readMapping } from './mapping-definition.ts'

// Source of each test: a page of the AWS Lambda developer guide, or the text of its API.

beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) }))
afterEach(() => void vi.useRealTimers())

type SetUp = ReturnType<typeof answeredDispatcher>

/** Starts with `counts` records in each topic partition, in one batch. */
function deliver(counts: number[], options: Parameters<typeof answeredDispatcher>[1] = {}) {
  const set = answeredDispatcher(counts.length, options)
  set.arrive(0, counts[0]!)
  for (const [partition, count] of counts.entries()) if (partition > 0) set.arrive(partition, count)
  set.dispatcher.assign(set.sources)
  return set
}

/** Answers each invocation, as it comes, with what `answer` says, until none comes for a day. */
async function answerAll({ calls }: SetUp, answer: (offsets: number[]) => InvocationAnswer): Promise<number[][]> {
  const batches: number[][] = []
  for (let index = 0, idleMs = 0; idleMs < 86_400_000; ) {
    const call = calls[index]
    if (call === undefined) {
      idleMs += 20_000
      await vi.advanceTimersByTimeAsync(20_000)
      continue
    }
    idleMs = 0
    index++
    const offsets = Object.values(call.records).flat()
    batches.push(offsets)
    call.answer(answer(offsets))
    await vi.advanceTimersByTimeAsync(0)
  }
  return batches
}

const failing = () => failure
const failingWith = (poison: number) => (offsets: number[]) => (offsets.includes(poison) ? failure : success)
const reporting = (...failed: number[]): InvocationAnswer => {
  const batchItemFailures = failed.map((offset) => ({ itemIdentifier: { partition: 't-0', offset } }))
  return { ...success, payload: Buffer.from(JSON.stringify({ batchItemFailures })) }
}
const offsetsOf = ({ discarded }: SetUp) =>
  discarded.map(({ condition, batch }) => [condition, ...[...batch.parts.values()].map((run) => run.firstOffset)])

describe('retries', () => {
  // "Amazon MSK … batching behavior": "Lambda retries the whole batch of messages until processing succeeds or the messages expire".
  test('an error repeats the whole batch until it succeeds; the next one waits', async () => {
    const set = deliver([2])
    set.arrive(0, 1)
    let failures = 12

    const batches = await answerAll(set, () => (failures-- > 0 ? failure : success))

    expect(batches).toEqual([...Array(13).fill([0, 1]), [2]])
  })

  // "Configuring error handling controls for Kafka event sources": "This doesn't count the initial invocation attempt".
  test.each([0, 1, 3])(
    'MaximumRetryAttempts %i counts attempts after the first; then the batch is discarded',
    async (retries) => {
      const set = deliver([2], { maximumRetryAttempts: retries })
      set.arrive(0, 1)

      const batches = await answerAll(set, (offsets) => (offsets.includes(0) ? failure : success))

      expect(batches).toEqual([...Array(retries + 1).fill([0, 1]), [2]])
      expect(set.discarded).toMatchObject([{ condition: 'RetryAttemptsExhausted', invocations: retries + 1 }])
      expect(set.log.filter((line) => line.includes('processed'))).toEqual([
        't-0 processed below 2',
        't-0 processed below 3',
      ])
    },
  )

  // "Configuring error handling controls for Kafka event sources": "Lambda automatically applies a maximum of 10 retry attempts".
  test('infinite retries with an on-failure destination are ten', () => {
    const mapping = (more: object) =>
      readMapping({
        EventSourceArn: 'arn:aws:kafka:eu-central-1:0:cluster/a/b',
        FunctionName: 'f',
        Topics: ['t'],
        StartingPosition: 'LATEST',
        ...more,
      }).maximumRetryAttempts
    const DestinationConfig = { OnFailure: { Destination: 'arn:aws:sqs:eu-central-1:0:q' } }
    const provisioned = { ProvisionedPollerConfig: { MaximumPollers: 1 } }

    expect(mapping({})).toBeUndefined()
    expect(mapping({ DestinationConfig })).toBe(10)
    expect(mapping({ DestinationConfig, MaximumRetryAttempts: -1 })).toBe(10)
    expect(mapping({ DestinationConfig, ...provisioned, MaximumRetryAttempts: 11 })).toBe(11)
  })

  // "How Lambda processes records from stream and queue-based event sources", before invocation: throttles are retried.
  test('throttles use up no retries', async () => {
    const set = deliver([1], { maximumRetryAttempts: 0 })
    let throttles = 20

    const batches = await answerAll(set, () => (throttles-- > 0 ? throttle : success))

    expect([batches.length, set.discarded]).toEqual([21, []])
  })

  // "Configuring error handling controls for Kafka event sources", console and CLI: under provisioned mode.
  test('error controls need provisioned mode', () => {
    const properties = { EventSourceArn: 'a', FunctionName: 'f', Topics: ['t'], StartingPosition: 'LATEST' }

    for (const control of [
      { MaximumRetryAttempts: 1 },
      { MaximumRecordAgeInSeconds: 60 },
      { BisectBatchOnFunctionError: true },
    ]) {
      expect(() => readMapping({ ...properties, ...control })).toThrow('on AWS Kafka has it in provisioned mode only')
      expect(() =>
        readMapping({ ...properties, ...control, ProvisionedPollerConfig: { MinimumPollers: 1 } }),
      ).not.toThrow()
    }
  })
})

describe('record age', () => {
  // API, MaximumRecordAgeInSeconds: "Discard records older than the specified age".
  test('records that become too old between attempts are discarded, the younger ones are sent on', async () => {
    const set = answeredDispatcher(1, { maximumRecordAgeMs: 60_000 })
    set.arrive(0, 2)
    await vi.advanceTimersByTimeAsync(59_000)
    set.arrive(0, 1)
    set.dispatcher.assign(set.sources)

    const batches = await answerAll(set, failing)

    expect(batches[0]).toEqual([0, 1, 2])
    expect(batches.filter((offsets) => offsets.length === 1).length).toBeGreaterThan(1)
    expect(batches.at(-1)).toEqual([2])
    expect(offsetsOf(set)).toEqual([
      ['RecordAgeExceeded', 0],
      ['RecordAgeExceeded', 2],
    ])
  })

  // API, MaximumRecordAgeInSeconds: "Lambda never discards old records" when it is infinite.
  test('without a limit a record of any age is sent', async () => {
    const set = answeredDispatcher(1)
    set.arrive(0, 1)
    await vi.advanceTimersByTimeAsync(30 * 86_400_000)
    set.dispatcher.assign(set.sources)

    expect(await answerAll(set, () => success)).toEqual([[0]])
  })
})

describe('bisect', () => {
  // "Configuring error handling controls for Kafka event sources", split batch on error: isolates problematic records.
  test('a failed batch is split in two until the failing record is alone; the others are processed, in order', async () => {
    const set = deliver([8], { bisectBatch: true, maximumRetryAttempts: 2 })

    const batches = await answerAll(set, failingWith(5))

    expect(batches).toEqual([[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [5], [5], [6, 7]])
    expect(offsetsOf(set)).toEqual([['RetryAttemptsExhausted', 5]])
    expect(set.log.filter((line) => line.includes('processed')).at(-1)).toBe('t-0 processed below 8')
  })

  // The same, over topic partitions: an event may hold several.
  test('halves of a batch may be topic partitions', async () => {
    const set = deliver([2, 2], { bisectBatch: true })
    let failures = 1

    const batches = await answerAll(set, () => (failures-- > 0 ? failure : success))

    expect(set.calls.map(({ records }) => records)).toEqual([
      { 't-0': [0, 1], 't-1': [0, 1] },
      { 't-0': [0, 1] },
      { 't-1': [0, 1] },
    ])
    expect(batches).toHaveLength(3)
  })
})

describe('partial batch responses', () => {
  const reportsItemFailures = true

  // "Configuring error handling controls for Kafka event sources", PartialBatchResponse; what follows a failure is not said.
  test.each([
    [
      'from-first-failed',
      [
        [0, 1, 2, 3, 4],
        [1, 2, 3, 4],
      ],
    ],
    [
      'failed-only',
      [
        [0, 1, 2, 3, 4],
        [1, 3],
      ],
    ],
  ] as const)('%s: what is delivered again', async (redelivery, expected) => {
    const set = deliver([5], { reportsItemFailures, redelivery })
    let reports = 1

    expect(await answerAll(set, () => (reports-- > 0 ? reporting(3, 1) : success))).toEqual(expected)
    expect(set.log.filter((line) => line.includes('processed'))).toEqual([
      't-0 processed below 1',
      't-0 processed below 5',
    ])
  })

  // The same page: an empty valid JSON or null is success.
  test.each(['', 'null', '{}', '{"batchItemFailures":[]}', '{"batchItemFailures":null}'])(
    '%j is success',
    async (payload) => {
      const set = deliver([2], { reportsItemFailures })

      expect(await answerAll(set, () => ({ ...success, payload: Buffer.from(payload) }))).toEqual([[0, 1]])
    },
  )

  // The same page: an identifier that was not in the event fails the entire batch.
  test('an identifier that is not in the event repeats the whole batch', async () => {
    const set = deliver([2], { reportsItemFailures })
    let reports = 1

    expect(await answerAll(set, () => (reports-- > 0 ? reporting(0, 9) : success))).toEqual([
      [0, 1],
      [0, 1],
    ])
  })

  // The same page, with maximum retry attempts.
  test('records that are reported again and again are discarded when their retries are used up', async () => {
    const set = deliver([3], { reportsItemFailures, maximumRetryAttempts: 2, redelivery: 'failed-only' })

    const batches = await answerAll(set, (offsets) => (offsets.includes(1) ? reporting(1) : success))

    expect(batches).toEqual([[0, 1, 2], [1], [1]])
    expect(offsetsOf(set)).toEqual([['RetryAttemptsExhausted', 1]])
  })
})

describe('in flight', () => {
  // "Process Apache Kafka messages": order per topic partition; whether two batches may be in flight is not documented.
  test('two batches of a topic partition are in flight when they may; offsets are told without a gap', async () => {
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
})

describe('too large', () => {
  const large = (offset: number) => (offset === 1 ? JSON.stringify('x'.repeat(7 << 20)) : String(offset))
  const destination = { kind: 'sns' as const, arn: 'a', region: 'r' }

  // "Capturing discarded batches …": condition MaximumPayloadSizeExceeded, without response context.
  test('a record no event can carry goes to the destination; those around it are processed', async () => {
    const set = answeredDispatcher(1, { destination })
    set.arrive(0, 3, large)
    set.dispatcher.assign(set.sources)

    const batches = await answerAll(set, () => success)

    expect(batches).toEqual([[0], [2]])
    expect(offsetsOf(set)).toEqual([['MaximumPayloadSizeExceeded', 1]])
    expect(set.discarded[0]!.invoked).toBeUndefined()
    expect(set.log.at(-1)).toBe('t-0 processed below 3')
  })

  // The same page says nothing of a mapping without destination: our reading.
  test('without destination it blocks its topic partition', async () => {
    const set = answeredDispatcher(2)
    set.arrive(0, 3, large)
    set.arrive(1, 1)
    set.dispatcher.assign(set.sources)

    expect((await answerAll(set, () => success)).flat()).toEqual([0, 0])
    expect(set.log).not.toContain('t-0 processed below 3')
  })
})
