import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import { answerAll, deliverAtOnce, success } from '#test-support/kafka/answered-dispatcher.ts'

// Source of each test: a page of the AWS Lambda developer guide, or the text of its API.

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const reporting = (...failed: number[]): InvocationAnswer => {
  const batchItemFailures = failed.map((offset) => ({ itemIdentifier: { partition: 't-0', offset } }))
  return { ...success, payload: Buffer.from(JSON.stringify({ batchItemFailures })) }
}

const reportsItemFailures = true

// "Configuring error handling controls for Kafka event sources", PartialBatchResponse. It does not say what happens to
// the records that follow a failure.
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
  const set = deliverAtOnce([5], { reportsItemFailures, redelivery })
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
    const set = deliverAtOnce([2], { reportsItemFailures })

    expect(await answerAll(set, () => ({ ...success, payload: Buffer.from(payload) }))).toEqual([[0, 1]])
  },
)

// The same page: an identifier that was not in the event fails the entire batch.
test('an identifier that is not in the event repeats the whole batch', async () => {
  const set = deliverAtOnce([2], { reportsItemFailures })
  let reports = 1

  expect(await answerAll(set, () => (reports-- > 0 ? reporting(0, 9) : success))).toEqual([
    [0, 1],
    [0, 1],
  ])
})

// The same page, with maximum retry attempts.
test('records that are reported again and again are discarded when their retries are used up', async () => {
  const set = deliverAtOnce([3], { reportsItemFailures, maximumRetryAttempts: 2, redelivery: 'failed-only' })

  const batches = await answerAll(set, (offsets) => (offsets.includes(1) ? reporting(1) : success))

  expect(batches).toEqual([[0, 1, 2], [1], [1]])
  expect(set.discarded.map(({ batch }) => batch.parts.get('t-0')!.firstOffset)).toEqual([1])
})
