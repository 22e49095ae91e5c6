import type { ErrorControls } from '../definition/error-controls.ts'
import {
  type Batch,
  batchDueAt,
  batchLimitBytes,
  bisect,
  formBatch,
  makeBatch,
  recordLimitBytes,
  type Source,
} from '../polling/batch.ts'
import type { EventFrame } from '../polling/event.ts'
import {
  type Attempt,
  beginAttempt,
  beginDelivery,
  type Delivery,
  type DeliveryReading,
  firstLeft,
  leftAfter,
  partTopicPartitions,
  splitByAge,
  splitFirst,
} from './delivery.ts'
import type { DiscardCondition, Discarded } from './discarded-batch.ts'
import { type Invoke, invokeWith, type Verdict } from './invocation.ts'
import { type Lanes, makeLanes } from './lanes.ts'
import { afterError, afterReportedFailures, afterThrottle, type NextStep } from './retry-policy.ts'

/** A batch that the function did not accept, or accepted only in part. */
export type Failure = {
  names: string[]
  records: number
  reason: string
  failures: number
  /** Absent: the batch is given up. */
  retryInMs?: number
}

export type DispatcherOptions = ErrorControls &
  DeliveryReading & {
    frame: EventFrame
    batchSize: number
    windowMs: number
    /** The largest number of invocations at once. */
    concurrency: number
    invoke: Invoke
    /** Sends discarded records to the destination, if there is one. Never rejects. */
    discard: (discarded: Discarded) => Promise<void>
    /** Called when records have left the queues. */
    onTaken: () => void
    onInvoked: (batch: Batch) => void
    /** Called when an invocation has ended, with success or not. */
    onEnded: () => void
    /** Called when everything of the topic partition below `nextOffset` has been processed. */
    onProcessed: (name: string, nextOffset: number) => void
    onFailure: (failure: Failure) => void
    /** Called when the function was not run because its concurrency was used up, with the number of times in a row. */
    onThrottled: (names: string[], timesInARow: number) => void
  }

/**
 * Sends the records that wait in queues to the function, in batches by size, length and window, several at once. A
 * failed batch is sent again, split or discarded, as the error controls say. Until then it holds its topic partitions.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #limits: { records: number; bytes: number }
  #assignment: Source[] = []
  #revoked = true
  readonly #lanes: Lanes
  readonly #retries = new Map<Delivery, NodeJS.Timeout>()
  #due: Delivery[] = []
  #running = 0
  #discarding = 0
  #windowTimer: NodeJS.Timeout | undefined
  #idle: PromiseWithResolvers<void> | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#limits = { records: options.batchSize, bytes: batchLimitBytes }
    this.#lanes = makeLanes(options.batchesInFlight, options.onProcessed)
  }

  /** Starts to deliver these topic partitions. The answer to a batch of an earlier assignment is ignored. */
  assign(assignment: Source[]): void {
    this.#assignment = assignment
    this.#revoked = false
    this.pump()
  }

  /** Whether records wait in the queues or are in flight. */
  get isBusy(): boolean {
    return this.#running > 0 || this.#assignment.some(({ queue }) => queue.count > 0)
  }

  /** Starts no further batches, gives failed ones up, and settles when no invocation is running. */
  async revoke(): Promise<void> {
    this.#revoked = true
    clearTimeout(this.#windowTimer)
    for (const timer of this.#retries.values()) clearTimeout(timer)
    for (const delivery of [...this.#retries.keys(), ...this.#due]) this.#lanes.release(delivery)
    this.#retries.clear()
    this.#due = []
    if (this.#running + this.#discarding === 0) return
    this.#idle ??= Promise.withResolvers()
    await this.#idle.promise
  }

  /** Starts every batch that can be started. It has to be called whenever records have arrived. */
  pump(): void {
    while (!this.#revoked && this.#running < this.#options.concurrency) {
      const delivery = this.#due.shift() ?? this.#nextDelivery()
      if (delivery === undefined) return
      this.#attempt(delivery)
    }
  }

  #nextDelivery(): Delivery | undefined {
    const isFree = ({ name }: Source) => this.#lanes.isFree(name)
    this.#discardTooLarge(this.#assignment.filter(isFree))
    const free = this.#assignment.filter(isFree)
    const dueAt = batchDueAt(free, this.#options.windowMs, this.#limits)
    if (dueAt === undefined) return undefined
    const waitMs = dueAt - performance.now()
    if (waitMs > 0) {
      clearTimeout(this.#windowTimer)
      this.#windowTimer = setTimeout(() => this.pump(), waitMs)
      return undefined
    }
    const batch = formBatch(free, this.#limits, this.#options.frame)
    return batch === undefined ? undefined : this.#deliver(batch)
  }

  #deliver(batch: Batch): Delivery {
    this.#options.onTaken()
    const delivery = beginDelivery(batch, this.#assignment)
    for (const [name, run] of batch.parts) this.#lanes.hold(delivery, name, run.firstOffset, run.lastOffset + 1)
    return delivery
  }

  /**
   * Discards records that no event can carry; AWS: "MaximumPayloadSizeExceeded". Without a destination such a record
   * stays and blocks its topic partition.
   */
  #discardTooLarge(free: Source[]): void {
    const { destination, frame } = this.#options
    if (destination === undefined) return
    for (const { name, queue } of free) {
      if (queue.oldestBytes <= recordLimitBytes(name, batchLimitBytes, frame)) continue
      const run = queue.take(1, Number.POSITIVE_INFINITY)!
      void this.#discard(this.#deliver(makeBatch(new Map([[name, run]]), frame)), 'MaximumPayloadSizeExceeded')
    }
  }

  /** Sends the batch of the first attempt. Records that have become too old since are discarded instead. */
  #attempt(delivery: Delivery): void {
    const attempt = delivery.attempts[0]!
    const { maximumRecordAgeMs = Number.POSITIVE_INFINITY, frame } = this.#options
    const byAge = splitByAge(attempt.batch, Date.now() - maximumRecordAgeMs)
    if (byAge !== undefined) {
      splitFirst(delivery, byAge, frame)
      void this.#discard(delivery, 'RecordAgeExceeded')
      return
    }
    void this.#run(delivery, attempt)
  }

  async #run(delivery: Delivery, attempt: Attempt): Promise<void> {
    this.#running++
    this.#options.onInvoked(attempt.batch)
    attempt.invocations++
    const verdict = await invokeWith(attempt.batch, this.#options.invoke, this.#options.reportsItemFailures)
    this.#running--
    this.#options.onEnded()
    delivery.invoked = verdict.invoked
    if (delivery.assignment === this.#assignment) this.#conclude(delivery, attempt, verdict)
    else this.#lanes.release(delivery)
    this.#rest()
  }

  #conclude(delivery: Delivery, attempt: Attempt, verdict: Verdict): void {
    if (verdict.result === 'done') {
      delivery.attempts.shift()
      this.#advance(delivery)
    } else if (verdict.result === 'throttled') {
      const names = [...attempt.batch.parts.keys()]
      this.#repeat(delivery, afterThrottle(++attempt.throttles))
      this.#options.onThrottled(names, attempt.throttles)
    } else if (verdict.result === 'failed') {
      attempt.failures++
      const step = afterError(this.#options, { ...attempt, records: attempt.batch.records })
      this.#fail(delivery, attempt, verdict.reason, step)
    } else {
      this.#keepFailed(delivery, attempt, verdict.failed)
    }
  }

  /** Continues after the processed records. The records that are delivered again become a batch of their own. */
  #keepFailed(delivery: Delivery, attempt: Attempt, failed: Map<string, Set<number>>): void {
    const { frame, redelivery } = this.#options
    const batch = makeBatch(leftAfter(attempt.batch, failed, redelivery), frame)
    const rest = batch.records < attempt.batch.records ? beginAttempt(batch, attempt.invocations) : attempt
    delivery.attempts[0] = rest
    rest.failures++
    const step = afterReportedFailures(this.#options, { ...rest, records: batch.records })
    this.#settle(delivery)
    this.#fail(delivery, rest, 'the function reported batch item failures', step)
  }

  #fail(delivery: Delivery, { batch, failures }: Attempt, reason: string, next: NextStep): void {
    const other = next.step === 'bisect' ? this.#bisect(delivery, batch) : undefined
    if (next.step === 'retry') delivery.attempts[0]!.retries++
    if (next.step !== 'discard') {
      this.#repeat(delivery, next.inMs)
      if (other !== undefined) this.#repeat(other, next.inMs)
    } else if (this.#revoked) this.#lanes.release(delivery)
    else void this.#discard(delivery, 'RetryAttemptsExhausted')
    const again = next.step === 'discard' ? {} : { retryInMs: next.inMs }
    this.#options.onFailure({ names: [...batch.parts.keys()], records: batch.records, reason, failures, ...again })
  }

  /**
   * Splits the first attempt in two. Halves of one topic partition are sent one after the other. Halves with different
   * topic partitions do not wait for each other: the second one becomes a delivery of its own, which is returned.
   */
  #bisect(delivery: Delivery, batch: Batch): Delivery | undefined {
    const { frame } = this.#options
    if (batch.parts.size === 1 || delivery.attempts.length > 1) {
      splitFirst(delivery, bisect(batch), frame)
      return undefined
    }
    const other = partTopicPartitions(delivery, frame)
    for (const name of other.names) this.#lanes.hand(delivery, other, name)
    return other
  }

  async #discard(delivery: Delivery, condition: DiscardCondition): Promise<void> {
    const { batch, invocations } = delivery.attempts[0]!
    delivery.isInTrouble = true
    this.#discarding++
    await this.#options.discard({
      condition,
      batch,
      invocations,
      ...(delivery.invoked !== undefined && { invoked: delivery.invoked }),
    })
    this.#discarding--
    delivery.attempts.shift()
    if (delivery.assignment === this.#assignment) this.#advance(delivery)
    else this.#lanes.release(delivery)
    this.#rest()
  }

  /** Called when the first attempt is done. The next one is due, if there is one. */
  #advance(delivery: Delivery): void {
    this.#settle(delivery)
    if (delivery.attempts.length === 0) return
    if (this.#revoked) this.#lanes.release(delivery)
    else this.#due.push(delivery)
  }

  /** Reports how far each topic partition of the delivery has been processed. */
  #settle(delivery: Delivery): void {
    for (const name of delivery.names) this.#lanes.advance(delivery, name, firstLeft(delivery, name))
  }

  /** Keeps the topic partitions for the next attempt, unless they have been revoked. */
  #repeat(delivery: Delivery, retryInMs: number): void {
    delivery.isInTrouble = true
    if (this.#revoked) {
      this.#lanes.release(delivery)
      return
    }
    const timer = setTimeout(() => {
      this.#retries.delete(delivery)
      this.#due.push(delivery)
      this.pump()
    }, retryInMs)
    this.#retries.set(delivery, timer)
  }

  #rest(): void {
    if (this.#running + this.#discarding === 0) {
      this.#idle?.resolve()
      this.#idle = undefined
    }
    this.pump()
  }
}
