import { vi } from 'vitest'
import type { Discarded } from '#localstack/event-source-mapping/dispatching/discarded-batch.ts'
import { Dispatcher, type DispatcherOptions } from '#localstack/event-source-mapping/dispatching/dispatcher.ts'
import type { Source } from '#localstack/event-source-mapping/polling/batch.ts'
import { makeEventFrame } from '#localstack/event-source-mapping/polling/event.ts'
import { RecordQueue } from '#localstack/event-source-mapping/polling/record-queue.ts'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import { makeChunk } from './record-chunk.ts'

/** Answers of a function. */
export const success: InvocationAnswer = { statusCode: 200, payload: Buffer.from('null'), logTail: '' }
export const failure: InvocationAnswer = {
  statusCode: 200,
  functionError: 'Unhandled',
  payload: Buffer.from('{"errorType":"Error","errorMessage":"no"}'),
  logTail: '',
}
export const throttle: InvocationAnswer = { ...success, statusCode: 429, errorType: 'TooManyRequestsException' }

export type Call = { records: Record<string, number[]>; answer: (answer: InvocationAnswer) => void }

/**
 * Makes a dispatcher whose invocations the test answers, with sources `t-0`, `t-1` … that the test fills. Timers have
 * to be faked.
 */
export function answeredDispatcher(topicPartitions: number, options: Partial<DispatcherOptions> = {}) {
  const calls: Call[] = []
  const log: string[] = []
  const discarded: Discarded[] = []
  const offsets = Array(topicPartitions).fill(0)
  const sources: Source[] = offsets.map((_, index) => ({ name: `t-${index}`, queue: new RecordQueue() }))
  const dispatcher = new Dispatcher({
    frame: makeEventFrame('arn', 'b'),
    batchSize: 100,
    windowMs: 0,
    reportsItemFailures: false,
    concurrency: 10,
    bisectBatch: false,
    redelivery: 'from-first-failed',
    batchesInFlight: 1,
    discard: async (batch) => void discarded.push(batch),
    invoke: (payload) =>
      new Promise((answer) => {
        calls.push({ records: JSON.parse(payload.toString()).records, answer })
      }),
    onTaken: () => undefined,
    onInvoked: () => undefined,
    onEnded: () => undefined,
    onProcessed: (name, next) => log.push(`${name} processed below ${next}`),
    onThrottled: (names, timesInARow) => log.push(`${names} throttled ${timesInARow}`),
    onFailure: ({ names, reason, retryInMs }) =>
      log.push(`${names} failed: ${reason}; ${retryInMs === undefined ? 'given up' : `again in ${retryInMs}`}`),
    ...options,
  })
  const arrive = (partition: number, count: number, json: (offset: number) => string = String) => {
    const fresh = Array.from({ length: count }, () => offsets[partition]++)
    sources[partition]!.queue.push(
      makeChunk(
        fresh.map(json),
        fresh,
        fresh.map(() => Date.now()),
        performance.now(),
      ),
    )
    dispatcher.pump()
  }
  /** Lets promises that are due settle. */
  const settle = () => vi.advanceTimersByTimeAsync(0)
  return { dispatcher, sources, calls, discarded, log, arrive, settle }
}

export type AnsweredDispatcher = ReturnType<typeof answeredDispatcher>

/** Makes a dispatcher and starts it with `counts` records in each topic partition, in one batch. */
export function deliverAtOnce(counts: number[], options: Partial<DispatcherOptions> = {}): AnsweredDispatcher {
  const set = answeredDispatcher(counts.length, options)
  counts.forEach((count, partition) => {
    set.arrive(partition, count)
  })
  set.dispatcher.assign(set.sources)
  return set
}

/**
 * Answers each invocation with the result of `answer`, until none comes for a day. Returns the offsets of each
 * invocation.
 */
export async function answerAll(
  { calls }: AnsweredDispatcher,
  answer: (offsets: number[]) => InvocationAnswer,
): Promise<number[][]> {
  const batches: number[][] = []
  for (let idleMs = 0; idleMs < 86_400_000; ) {
    const call = calls[batches.length]
    if (call === undefined) {
      idleMs += 20_000
      await vi.advanceTimersByTimeAsync(20_000)
      continue
    }
    idleMs = 0
    const offsets = Object.values(call.records).flat()
    batches.push(offsets)
    call.answer(answer(offsets))
    await vi.advanceTimersByTimeAsync(0)
  }
  return batches
}
