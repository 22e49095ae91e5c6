import type { DiscardCondition, Discarded } from './dispatching/discarded-batch.ts'
import type { Failure } from './dispatching/dispatcher.ts'
import type { Batch } from './polling/batch.ts'
import type { GroupOffset } from './polling/offset-commits.ts'
import type { Polled } from './polling/poll-loop.ts'

/** What became of one topic partition since the mapping was started. */
export type TopicPartitionMetrics = {
  /** `<topic>-<partition>` */
  topicPartition: string
  /** Records read from the broker. */
  polled: number
  /** Of these, records no filter let through. */
  filteredOut: number
  /** Records handed to the function; one that is tried twice counts twice. */
  invoked: number
  /** Invocations with records of it that failed. */
  failedInvocations: number
  /** Records that were given up: those the destination got, and those that are gone. */
  deliveredToDestination: number
  dropped: number
  /** How far the committed offset has moved. */
  committed: number
  /** The offset the consumer group continues at. */
  committedOffset: number
  /** The offset the next record will have, as of the last poll. */
  logEndOffset: number
  /** Records between the two. */
  lagRecords: number
  /** Why it does not go on, while it does not. */
  lastError?: string
}

export type MappingMetrics = {
  /** Invocations, retries included, and their records. */
  batches: number
  records: number
  /** Invocations that failed, and those that were not run for want of concurrency. */
  failedBatches: number
  throttledBatches: number
  /** Records of the invocations that failed. */
  failedRecords: number
  /** Why the mapping does not go on, while it does not. */
  lastError?: string
  topicPartitions: TopicPartitionMetrics[]
}

/** What a mapping's log tells. */
export type MappingEvent =
  | { kind: 'assigned'; topicPartitions: string[] }
  | { kind: 'disconnected'; reason: string; retryInMs: number }
  | ({ kind: 'failed' } & Failure)
  | { kind: 'discarded'; topicPartitions: string[]; records: number; condition: DiscardCondition; outcome: string }
  | { kind: 'offset-lost'; topicPartition: string; offset: number; continuesAt: number }
  | { kind: 'record-too-large'; topicPartition: string; offset: number; bytes: number }

/** The sixth throttle in a row: a sixth of a second without a place. */
const lastingThrottle = 6

type Place = { name: string; position: bigint }

/** Counts what a mapping does and remembers what keeps it from going on. */
export class MappingRecord {
  readonly #onEvent: (event: MappingEvent) => void
  readonly #topicPartitions = new Map<string, TopicPartitionMetrics>()
  #assigned: string[] = []
  #batches = 0
  #records = 0
  #failedBatches = 0
  #failedRecords = 0
  #throttledBatches = 0
  #disconnection: string | undefined

  constructor(onEvent: (event: MappingEvent) => void) {
    this.#onEvent = onEvent
  }

  metrics(): MappingMetrics {
    const topicPartitions = this.#assigned.map((name) => ({ ...this.#of(name) }))
    const lastError = this.#disconnection ?? topicPartitions.find((each) => each.lastError !== undefined)?.lastError
    return {
      batches: this.#batches,
      records: this.#records,
      failedBatches: this.#failedBatches,
      throttledBatches: this.#throttledBatches,
      failedRecords: this.#failedRecords,
      ...(lastError !== undefined && { lastError }),
      topicPartitions,
    }
  }

  assigned(places: Place[]): void {
    this.#disconnection = undefined
    this.#assigned = places.map(({ name }) => name)
    for (const { name, position } of places) this.#of(name).committedOffset = Number(position)
    this.#onEvent({ kind: 'assigned', topicPartitions: this.#assigned })
  }

  disconnected(error: Error, retryInMs: number): void {
    this.#disconnection = describe(error)
    this.#onEvent({ kind: 'disconnected', reason: this.#disconnection, retryInMs })
  }

  polled(name: string, { records, filteredOut, logEndOffset }: Polled): void {
    const metrics = this.#of(name)
    metrics.polled += records
    metrics.filteredOut += filteredOut
    metrics.logEndOffset = logEndOffset
    metrics.lagRecords = Math.max(0, logEndOffset - metrics.committedOffset)
  }

  invoked({ parts, records }: Batch): void {
    this.#batches++
    this.#records += records
    for (const [name, { count }] of parts) this.#of(name).invoked += count
  }

  processed(name: string): void {
    delete this.#of(name).lastError
  }

  failed(failure: Failure): void {
    this.#failedBatches++
    this.#failedRecords += failure.records
    for (const name of failure.names) {
      const metrics = this.#of(name)
      metrics.failedInvocations++
      metrics.lastError = failure.reason
    }
    this.#onEvent({ kind: 'failed', ...failure })
  }

  /** The batch is given up; without `error` the destination has it, where there is one. */
  discarded({ condition, batch }: Discarded, hasDestination: boolean, error?: Error): void {
    const isDelivered = hasDestination && error === undefined
    for (const [name, { count }] of batch.parts) {
      if (isDelivered) this.#of(name).deliveredToDestination += count
      else this.#of(name).dropped += count
    }
    const outcome = isDelivered
      ? 'delivered to the destination'
      : error === undefined
        ? 'dropped: there is no on-failure destination'
        : `dropped: the destination did not take it: ${describe(error)}`
    const topicPartitions = [...batch.parts.keys()]
    this.#onEvent({ kind: 'discarded', topicPartitions, records: batch.records, condition, outcome })
  }

  /** A function others call as well is busy now and then; only if that lasts something is wrong. */
  throttled(names: string[], timesInARow: number): void {
    this.#throttledBatches++
    if (timesInARow < lastingThrottle) return
    for (const name of names) this.#of(name).lastError = 'the function is throttled: all its concurrency is used'
  }

  committed(offsets: GroupOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      const metrics = this.#of(`${topic}-${partition}`)
      metrics.committed += Math.max(0, offset - metrics.committedOffset)
      metrics.committedOffset = offset
      metrics.lagRecords = Math.max(0, metrics.logEndOffset - offset)
    }
  }

  offsetLost(topicPartition: string, offset: number, continuesAt: number): void {
    this.#onEvent({ kind: 'offset-lost', topicPartition, offset, continuesAt })
  }

  /** It blocks its topic partition where there is no destination for it. */
  tooLarge(topicPartition: string, offset: number, bytes: number, isBlocking: boolean): void {
    const size = `${(bytes / 2 ** 20).toFixed(1)} MB`
    if (isBlocking) {
      this.#of(topicPartition).lastError =
        `record ${offset} of ${topicPartition} is ${size} as JSON, an event takes 6 MB: it blocks its topic partition`
    }
    this.#onEvent({ kind: 'record-too-large', topicPartition, offset, bytes })
  }

  #of(topicPartition: string): TopicPartitionMetrics {
    const known = this.#topicPartitions.get(topicPartition)
    if (known !== undefined) return known
    const counts = {
      polled: 0,
      filteredOut: 0,
      invoked: 0,
      failedInvocations: 0,
      deliveredToDestination: 0,
      dropped: 0,
    }
    const offsets = { committed: 0, committedOffset: 0, logEndOffset: 0, lagRecords: 0 }
    const made = { topicPartition, ...counts, ...offsets }
    this.#topicPartitions.set(topicPartition, made)
    return made
  }
}

/** The client's errors hold what happened in the errors they are made of. */
function describe(error: Error): string {
  const parts = error instanceof AggregateError ? error.errors : error.cause instanceof Error ? [error.cause] : []
  return [error.message, ...new Set(parts.map((part: Error) => describe(part)))].join(' ')
}
