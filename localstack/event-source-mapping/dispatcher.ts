import {
  type Batch,
  type BatchParts,
  batchDueAt,
  bisect,
  formBatch,
  makeBatch,
  payloadLimitBytes,
  recordLimitBytes,
  type Source,
  selectParts,
} from './batch.ts'
import type { DiscardCondition, Discarded } from './discarded-batch.ts'
import type { ErrorControls } from './error-controls.ts'
import type { EventFrame } from './event.ts'
import { type Invoke, type Invoked, invokeWith, type Verdict } from './invocation.ts'
import { type Lanes, type LaneUser, makeLanes } from './lanes.ts'
import type { RecordRun } from './record-queue.ts'
import { afterError, afterReportedFailures, afterThrottle, type NextStep } from './retry-policy.ts'

/** A batch the function did not accept, or only in part. */
export type Failure = {
  names: string[]
  records: number
  reason: string
  failures: number
  /** Absent: it is given up. */
  retryInMs?: number
}

/** What AWS leaves open; the first of each is what the poller does by itself. */
export type DeliveryReading = {
  /** After a partial batch response: the first failed record of a topic partition and all later ones, or those reported. */
  redelivery: 'from-first-failed' | 'failed-only'
  /** Batches of one topic partition at once. */
  batchesInFlight: 1 | 2
}

export type DispatcherOptions = ErrorControls &
  DeliveryReading & {
    frame: EventFrame
    batchSize: number
    windowMs: number
    /** Most invocations at once. */
    concurrency: number
    invoke: Invoke
    /** Takes what is discarded to the destination, if there is one. Never rejects. */
    discard: (discarded: Discarded) => Promise<void>
    /** Records left the queues. */
    onTaken: () => void
    onInvoked: (batch: Batch) => void
    /** Everything of the topic partition below `nextOffset` is processed. */
    onProcessed: (name: string, nextOffset: number) => void
    onFailure: (failure: Failure) => void
    /** The function was not run for want of concurrency, so many times in a row. */
    onThrottled: (names: string[], timesInARow: number) => void
  }

type Attempt = { batch: Batch; retries: number; failures: number; throttles: number; invocations: number }

/** A batch, or what is left of it: attempts that follow each other. */
type Delivery = LaneUser & { attempts: Attempt[]; names: string[]; assignment: Source[]; invoked?: Invoked }

const begin = (batch: Batch, invocations = 0): Attempt => {
  return { batch, retries: 0, failures: 0, throttles: 0, invocations }
}

/**
 * Brings records that wait in queues to the function: batches by size, length and window, several at once. A failed batch
 * is invoked again, split or discarded as the error controls say, and holds its topic partitions meanwhile.
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
    this.#limits = { records: options.batchSize, bytes: payloadLimitBytes }
    this.#lanes = makeLanes(options.batchesInFlight, options.onProcessed)
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
    for (const delivery of [...this.#retries.keys(), ...this.#due]) this.#lanes.release(delivery)
    this.#retries.clear()
    this.#due = []
    if (this.#running + this.#discarding === 0) return
    this.#idle ??= Promise.withResolvers()
    await this.#idle.promise
  }

  /** Starts what can be started; to be called whenever records have arrived. */
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
    const names = [...batch.parts.keys()]
    const delivery = { attempts: [begin(batch)], names, assignment: this.#assignment, isInTrouble: false }
    for (const [name, run] of batch.parts) this.#lanes.hold(delivery, name, run.firstOffset, run.lastOffset + 1)
    return delivery
  }

  /** AWS: "MaximumPayloadSizeExceeded". Without a destination such a record stays where it is and blocks. */
  #discardTooLarge(free: Source[]): void {
    const { destination, frame } = this.#options
    if (destination === undefined) return
    for (const { name, queue } of free) {
      if (queue.oldestBytes <= recordLimitBytes(name, payloadLimitBytes, frame)) continue
      const run = queue.take(1, Number.POSITIVE_INFINITY)!
      void this.#discard(this.#deliver(makeBatch(new Map([[name, run]]), frame)), 'MaximumPayloadSizeExceeded')
    }
  }

  /** Sends the first attempt's batch; records that have become too old meanwhile are discarded instead. */
  #attempt(delivery: Delivery): void {
    const attempt = delivery.attempts[0]!
    const { maximumRecordAgeMs } = this.#options
    if (maximumRecordAgeMs !== undefined) {
      const oldest = Date.now() - maximumRecordAgeMs
      const aged = selectParts(attempt.batch.parts, (_name, _offset, timestamp) => timestamp < oldest)
      if (aged.size > 0) {
        const young = selectParts(attempt.batch.parts, (_name, _offset, timestamp) => timestamp >= oldest)
        this.#replace(delivery, [aged, young])
        void this.#discard(delivery, 'RecordAgeExceeded')
        return
      }
    }
    void this.#run(delivery, attempt)
  }

  async #run(delivery: Delivery, attempt: Attempt): Promise<void> {
    this.#running++
    this.#options.onInvoked(attempt.batch)
    attempt.invocations++
    const verdict = await invokeWith(attempt.batch, this.#options.invoke, this.#options.reportsItemFailures)
    this.#running--
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

  /** Goes on behind what was processed; what is delivered again is a batch of its own from then on. */
  #keepFailed(delivery: Delivery, attempt: Attempt, failed: Map<string, Set<number>>): void {
    const isLeft =
      this.#options.redelivery === 'failed-only'
        ? (name: string, offset: number) => failed.get(name)?.has(offset) ?? false
        : (name: string, offset: number) => offset >= Math.min(...(failed.get(name) ?? [Number.POSITIVE_INFINITY]))
    const left = selectParts(attempt.batch.parts, isLeft)
    const batch = makeBatch(left, this.#options.frame)
    const rest = batch.records < attempt.batch.records ? begin(batch, attempt.invocations) : attempt
    delivery.attempts[0] = rest
    rest.failures++
    const step = afterReportedFailures(this.#options, { ...rest, records: batch.records })
    this.#settle(delivery)
    this.#fail(delivery, rest, 'the function reported batch item failures', step)
  }

  #fail(delivery: Delivery, attempt: Attempt, reason: string, next: NextStep): void {
    const { batch, failures } = attempt
    const failure = { names: [...batch.parts.keys()], records: batch.records, reason, failures }
    const isGivenUp = next.step === 'discard' && !this.#revoked
    if (next.step === 'discard') {
      if (isGivenUp) void this.#discard(delivery, 'RetryAttemptsExhausted')
      else this.#lanes.release(delivery)
    } else {
      if (next.step === 'bisect') this.#replace(delivery, bisect(batch))
      else attempt.retries++
      this.#repeat(delivery, next.inMs)
    }
    this.#options.onFailure({ ...failure, ...('inMs' in next && { retryInMs: next.inMs }) })
  }

  /** Puts what its first attempt is made of in its place. */
  #replace(delivery: Delivery, parts: BatchParts[]): void {
    const { invocations } = delivery.attempts.shift()!
    const batches = parts.filter(({ size }) => size > 0).map((each) => makeBatch(each, this.#options.frame))
    delivery.attempts.unshift(...batches.map((batch) => begin(batch, invocations)))
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

  /** Its first attempt is done: the next one is due, if there is one. */
  #advance(delivery: Delivery): void {
    this.#settle(delivery)
    if (delivery.attempts.length === 0) return
    if (this.#revoked) this.#lanes.release(delivery)
    else this.#due.push(delivery)
  }

  /** Tells how far each of its topic partitions is processed. */
  #settle(delivery: Delivery): void {
    for (const name of delivery.names) {
      const left = delivery.attempts.map(({ batch }) => batch.parts.get(name)).filter((run) => run !== undefined)
      this.#lanes.advance(delivery, name, firstOffset(left))
    }
  }

  /** Keeps the topic partitions for the next attempt, unless they have been taken away. */
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

function firstOffset(runs: RecordRun[]): number | undefined {
  return runs.length === 0 ? undefined : Math.min(...runs.map((run) => run.firstOffset))
}
