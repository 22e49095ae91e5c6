import type { InvocationAnswer } from '#localstack/lambda-host/invocation.ts'
import { type Batch, batchDueAt, formBatch, makeBatch, payloadLimitBytes, type Source } from './batch.ts'
import { type BatchVerdict, readBatchResponse } from './batch-response.ts'
import type { EventFrame } from './event.ts'
import { type RecordRun, runFrom } from './record-queue.ts'

/** A batch the function did not accept, or only in part. */
export type Failure = { names: string[]; reason: string; failures: number; retryInMs: number }

export type DispatcherOptions = {
  frame: EventFrame
  batchSize: number
  windowMs: number
  reportsItemFailures: boolean
  /** Most invocations at once. */
  concurrency: number
  invoke: (payload: Buffer) => Promise<InvocationAnswer>
  /** Records left the queues. */
  onTaken: () => void
  onInvoked: (batch: Batch) => void
  /** Everything of the topic partition below `nextOffset` is processed. */
  onProcessed: (name: string, nextOffset: number) => void
  onFailure: (failure: Failure) => void
  /** The function was not run for want of concurrency, so many times in a row. */
  onThrottled: (names: string[], timesInARow: number) => void
}

type Attempt = { batch: Batch; failures: number; throttles: number; assignment: Source[] }

const failureBackoff = { firstMs: 100, longestMs: 10_000 }
/** Shorter: the function is busy, not broken, and a place may be free in a moment. */
const throttleBackoff = { firstMs: 5, longestMs: 1_000 }

/**
 * Brings records that wait in queues to the function: batches by size, length and window, several at once, never two of
 * one topic partition. A failed batch is invoked again as it is, later and later, and holds its topic partitions.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #limits: { records: number; bytes: number }
  #assignment: Source[] = []
  #revoked = true
  /** Topic partitions with a batch in flight or waiting for its next attempt. */
  readonly #held = new Map<string, Attempt>()
  readonly #retries = new Map<Attempt, NodeJS.Timeout>()
  #due: Attempt[] = []
  #running = 0
  #windowTimer: NodeJS.Timeout | undefined
  #idle: PromiseWithResolvers<void> | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#limits = { records: options.batchSize, bytes: payloadLimitBytes }
  }

  /** From now on these topic partitions are delivered. The answer to a batch of an earlier assignment is ignored. */
  assign(assignment: Source[]): void {
    this.#assignment = assignment
    this.#revoked = false
    this.pump()
  }

  /** Begins no more batches, gives failed ones up, and settles when no invocation runs any more. */
  async revoke(): Promise<void> {
    this.#revoked = true
    clearTimeout(this.#windowTimer)
    for (const timer of this.#retries.values()) clearTimeout(timer)
    for (const attempt of [...this.#retries.keys(), ...this.#due]) this.#release(attempt)
    this.#retries.clear()
    this.#due = []
    if (this.#running === 0) return
    this.#idle ??= Promise.withResolvers()
    await this.#idle.promise
  }

  /** Starts what can be started; to be called whenever records have arrived. */
  pump(): void {
    while (!this.#revoked && this.#running < this.#options.concurrency) {
      const attempt = this.#due.shift() ?? this.#nextBatch()
      if (attempt === undefined) return
      void this.#run(attempt)
    }
  }

  #nextBatch(): Attempt | undefined {
    const free = this.#assignment.filter(({ name }) => !this.#held.has(name))
    const dueAt = batchDueAt(free, this.#options.windowMs, this.#limits)
    if (dueAt === undefined) return undefined
    const waitMs = dueAt - performance.now()
    if (waitMs > 0) {
      clearTimeout(this.#windowTimer)
      this.#windowTimer = setTimeout(() => this.pump(), waitMs)
      return undefined
    }
    const batch = formBatch(free, this.#limits, this.#options.frame)
    if (batch === undefined) return undefined
    this.#options.onTaken()
    const attempt = { batch, failures: 0, throttles: 0, assignment: this.#assignment }
    for (const name of batch.parts.keys()) this.#held.set(name, attempt)
    return attempt
  }

  async #run(attempt: Attempt): Promise<void> {
    const { batch, assignment } = attempt
    this.#running++
    this.#options.onInvoked(batch)
    const verdict = await this.#judge(batch)
    this.#running--
    if (assignment !== this.#assignment) this.#release(attempt)
    else if (verdict.result === 'throttled') this.#throttle(attempt)
    else if (verdict.result === 'failed') this.#fail(attempt, verdict.reason)
    else this.#accept(attempt, verdict.result === 'partly' ? verdict.retryFrom : new Map())
    if (this.#running === 0) {
      this.#idle?.resolve()
      this.#idle = undefined
    }
    this.pump()
  }

  async #judge(batch: Batch): Promise<BatchVerdict | { result: 'throttled' }> {
    try {
      const answer = await this.#options.invoke(batch.payload)
      if (answer.errorType === 'TooManyRequestsException') return { result: 'throttled' }
      const reason = failureOf(answer)
      if (reason !== undefined) return { result: 'failed', reason }
      return this.#options.reportsItemFailures ? readBatchResponse(answer.payload, batch) : { result: 'done' }
    } catch (error) {
      return { result: 'failed', reason: String(error) }
    }
  }

  /** Goes on behind what was processed; what was reported as failed is a batch of its own from then on. */
  #accept(attempt: Attempt, retryFrom: Map<string, number>): void {
    this.#release(attempt)
    const rest = new Map<string, RecordRun>()
    for (const [name, run] of attempt.batch.parts) {
      const next = retryFrom.get(name)
      if (next !== undefined) rest.set(name, runFrom(run, next))
      if (next !== run.firstOffset) this.#options.onProcessed(name, next ?? run.lastOffset + 1)
    }
    if (rest.size === 0) return
    const batch = makeBatch(rest, this.#options.frame)
    const failures = batch.records < attempt.batch.records ? 0 : attempt.failures
    this.#fail({ ...attempt, batch, failures }, 'the function reported batch item failures')
  }

  #fail(attempt: Attempt, reason: string): void {
    const retryInMs = this.#repeat(attempt, attempt.failures++, failureBackoff)
    const names = [...attempt.batch.parts.keys()]
    this.#options.onFailure({ names, reason, failures: attempt.failures, retryInMs })
  }

  #throttle(attempt: Attempt): void {
    this.#repeat(attempt, attempt.throttles++, throttleBackoff)
    this.#options.onThrottled([...attempt.batch.parts.keys()], attempt.throttles)
  }

  /** Keeps the topic partitions for the next attempt, unless they have been taken away. */
  #repeat(attempt: Attempt, attempts: number, { firstMs, longestMs }: typeof failureBackoff): number {
    this.#release(attempt)
    const retryInMs = Math.min(longestMs, firstMs * 2 ** attempts)
    if (this.#revoked) return retryInMs
    for (const name of attempt.batch.parts.keys()) this.#held.set(name, attempt)
    const timer = setTimeout(() => {
      this.#retries.delete(attempt)
      this.#due.push(attempt)
      this.pump()
    }, retryInMs)
    this.#retries.set(attempt, timer)
    return retryInMs
  }

  #release(attempt: Attempt): void {
    for (const name of attempt.batch.parts.keys()) this.#held.delete(name)
  }
}

/** Why an invocation was no success, in words; undefined when it was one. */
function failureOf({ statusCode, functionError, payload }: InvocationAnswer): string | undefined {
  if (statusCode === 200 && functionError === undefined) return undefined
  const text = payload.toString()
  try {
    const { errorType: type, errorMessage } = JSON.parse(text)
    return errorMessage === undefined ? text : `${type}: ${errorMessage}`
  } catch {
    return text
  }
}
