import type { DiscardCondition, Discarded } from './dispatching/discarded-batch.ts'
import type { Failure } from './dispatching/dispatcher.ts'
import type { Batch } from './polling/batch.ts'
import type { GroupOffset } from './polling/offset-commits.ts'
import type { Polled } from './polling/poll-loop.ts'

/** Counters of one topic partition since the mapping was started. */
export type TopicPartitionMetrics = {
  /** `<topic>-<partition>` */
  topicPartition: string
  /** Records read from the broker. */
  polled: number
  /** Of these, the records that no filter let through. */
  filteredOut: number
  /** Records that were sent to the function. A record that is tried twice counts twice. */
  invoked: number
  /** Failed invocations with records of this topic partition. */
  failedInvocations: number
  /** Records that were given up: those that the destination got, and those that are lost. */
  deliveredToDestination: number
  dropped: number
  /** How far the committed offset has moved. */
  committed: number
  /** The offset at which the consumer group continues. */
  committedOffset: number
  /** The offset the next record will have, as of the last poll. */
  logEndOffset: number
  /** Records between `committedOffset` and `logEndOffset`. */
  lagRecords: number
  /** Why the topic partition does not continue; absent while it does. */
  lastError?: string
}

export type MappingMetrics = {
  /** Invocations, retries included, and their records. */
  batches: number
  records: number
  /** Invocations that failed, and those that were not run because the function's concurrency was used up. */
  failedBatches: number
  throttledBatches: number
  /** Records of the invocations that failed. */
  failedRecords: number
  /** Why the mapping does not continue; absent while it does. */
  lastError?: string
  topicPartitions: TopicPartitionMetrics[]
}

/** An entry of a mapping's log. */
export type MappingEvent =
  | { kind: 'assigned'; topicPartitions: string[] }
  | { kind: 'disconnected'; reason: string; retryInMs: number }
  | ({ kind: 'failed' } & Failure)
  | { kind: 'discarded'; topicPartitions: string[]; records: number; condition: DiscardCondition; outcome: string }
  | { kind: 'offset-lost'; topicPartition: string; offset: number; continuesAt: number }
  | { kind: 'record-too-large'; topicPartition: string; offset: number; bytes: number }

/** From the sixth throttle in a row on, which comes after a sixth of a second, throttling is shown as an error. */
const lastingThrottle = 6

type Place = { name: string; position: bigint }

/** Counts what a mapping does, and keeps the error that stops it from continuing. */
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

  /** Counts a batch that is given up. Without `error` the destination has it, if there is one. */
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

  /** A function that has other callers is busy now and then. Only throttling that lasts is shown as an error. */
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

  /** Without a destination the record blocks its topic partition. */
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

/** The text of an error and of its causes, because the client puts what happened into these. */
function describe(error: Error): string {
  const parts = error instanceof AggregateError ? error.errors : error.cause instanceof Error ? [error.cause] : []
  return [error.message, ...new Set(parts.map((part: Error) => describe(part)))].join(' ')
}
