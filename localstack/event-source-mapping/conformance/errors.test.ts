import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  type AnsweredDispatcher,
  answerAll,
  answeredDispatcher,
  deliverAtOnce,
  failure,
  success,
  throttle,
} from '#test-support/kafka/answered-dispatcher.ts'
import { readMapping } from '../definition/mapping-definition.ts'

// Source of each test: a page of the AWS Lambda developer guide, or the text of its API.

beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) }))
afterEach(() => void vi.useRealTimers())

const failing = () => failure
const failingWith = (poison: number) => (offsets: number[]) => (offsets.includes(poison) ? failure : success)

/** What was discarded: the reason, and the first offset in each topic partition. */
const offsetsOf = ({ discarded }: AnsweredDispatcher) =>
  discarded.map(({ condition, batch }) => [condition, ...[...batch.parts.values()].map((run) => run.firstOffset)])

describe('retries', () => {
  // "Amazon MSK … batching behavior": "Lambda retries the whole batch of messages until processing succeeds or the
  // messages expire".
  test('an error repeats the whole batch until it succeeds; the next one waits', async () => {
    const set = deliverAtOnce([2])
    set.arrive(0, 1)
    let failures = 12

    const batches = await answerAll(set, () => (failures-- > 0 ? failure : success))

    expect(batches).toEqual([...Array(13).fill([0, 1]), [2]])
  })

  // "Configuring error handling controls for Kafka event sources": "This doesn't count the initial invocation attempt".
  test.each([0, 1, 3])(
    'MaximumRetryAttempts %i counts attempts after the first; then the batch is discarded',
    async (retries) => {
      const set = deliverAtOnce([2], { maximumRetryAttempts: retries })
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

  // "Configuring error handling controls for Kafka event sources": "Lambda automatically applies a maximum of 10 retry
  // attempts".
  test('infinite retries with an on-failure destination are ten', () => {
    const mapping = (more: object) =>
      readMapping({
        EventSourceArn: 'arn:aws:kafka:eu-central-1:0:cluster/a/b',
        FunctionName: 'f',
        Topics: ['orders'],
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
    const set = deliverAtOnce([1], { maximumRetryAttempts: 0 })
    let throttles = 20

    const batches = await answerAll(set, () => (throttles-- > 0 ? throttle : success))

    expect([batches.length, set.discarded]).toEqual([21, []])
  })

  // "Configuring error handling controls for Kafka event sources", console and CLI: under provisioned mode.
  test('error controls need provisioned mode', () => {
    const properties = { EventSourceArn: 'a', FunctionName: 'f', Topics: ['orders'], StartingPosition: 'LATEST' }

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
    const set = deliverAtOnce([8], { bisectBatch: true, maximumRetryAttempts: 2 })

    const batches = await answerAll(set, failingWith(5))

    expect(batches).toEqual([[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [5], [5], [6, 7]])
    expect(offsetsOf(set)).toEqual([['RetryAttemptsExhausted', 5]])
    expect(set.log.filter((line) => line.includes('processed')).at(-1)).toBe('t-0 processed below 8')
  })

  // The same for an event that holds several topic partitions.
  test('halves of a batch may be topic partitions', async () => {
    const set = deliverAtOnce([2, 2], { bisectBatch: true })
    let failures = 1

    const batches = await answerAll(set, () => (failures-- > 0 ? failure : success))

    expect(set.calls.map(({ records }) => records)).toEqual([
      { 't-0': [0, 1], 't-1': [0, 1] },
      { 't-0': [0, 1] },
      { 't-1': [0, 1] },
    ])
    expect(batches).toHaveLength(3)
  })

  // AWS does not say in which order the halves are sent; this order is our choice.
  test('a topic partition whose record fails again and again does not hold the others', async () => {
    const set = deliverAtOnce([2, 2, 2], { bisectBatch: true })
    let answered = 0
    const answerFor = async (seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        for (const call of set.calls.slice(answered)) call.answer('t-1' in call.records ? failure : success)
        answered = set.calls.length
        await vi.advanceTimersByTimeAsync(1_000)
      }
    }

    await answerFor(5)
    set.arrive(2, 1)
    await answerFor(5)

    expect(set.log).toContain('t-0 processed below 2')
    expect(set.log).toContain('t-2 processed below 3')
    expect(set.calls.at(-1)!.records).toEqual({ 't-1': [0] })
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

  // The same page does not describe a mapping without a destination; this is our choice.
  test('without destination it blocks its topic partition', async () => {
    const set = answeredDispatcher(2)
    set.arrive(0, 3, large)
    set.arrive(1, 1)
    set.dispatcher.assign(set.sources)

    expect((await answerAll(set, () => success)).flat()).toEqual([0, 0])
    expect(set.log).not.toContain('t-0 processed below 3')
  })
})
