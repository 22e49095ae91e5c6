import { type Batch, type BatchParts, makeBatch, type Source, selectParts } from '../polling/batch.ts'
import type { EventFrame } from '../polling/event.ts'
import type { Invoked } from './invocation.ts'
import type { LaneUser } from './lanes.ts'

/** Choices that AWS's documentation leaves open. The first value of each is the poller's default. */
export type DeliveryReading = {
  /**
   * What is sent again after a partial batch response: the first failed record of a topic partition and all later ones,
   * or only the reported ones.
   */
  redelivery: 'from-first-failed' | 'failed-only'
  /** How many batches of one topic partition may be in flight at once. */
  batchesInFlight: 1 | 2
}

/** A batch that is sent until it is accepted, split or discarded. */
export type Attempt = {
  batch: Batch
  /** How many attempts after the first one have ended in an error. */
  retries: number
  /** Failures and throttles in a row. */
  failures: number
  throttles: number
  /** Invocations with these records, also those in which they were part of a larger batch. */
  invocations: number
}

/** A batch as it was formed, or the rest of it, as attempts that are sent one after the other. */
export type Delivery = LaneUser & {
  attempts: Attempt[]
  /** The names of its topic partitions. */
  names: string[]
  assignment: Source[]
  /** The last invocation of the batch. */
  invoked?: Invoked
}

export const beginDelivery = (batch: Batch, assignment: Source[]): Delivery => {
  return { attempts: [beginAttempt(batch, 0)], names: [...batch.parts.keys()], assignment, isInTrouble: false }
}

export const beginAttempt = (batch: Batch, invocations: number): Attempt => {
  return { batch, retries: 0, failures: 0, throttles: 0, invocations }
}

/** Replaces the first attempt by one attempt for each part. Parts without records are left out. */
export function splitFirst(delivery: Delivery, parts: BatchParts[], frame: EventFrame): void {
  const { invocations } = delivery.attempts.shift()!
  const batches = parts.filter(({ size }) => size > 0).map((each) => makeBatch(each, frame))
  delivery.attempts.unshift(...batches.map((batch) => beginAttempt(batch, invocations)))
}

/**
 * Divides the topic partitions of a delivery. The delivery keeps the first half; the others are returned as a delivery
 * of their own, so that the halves do not wait for each other. The delivery has to consist of one attempt.
 */
export function partTopicPartitions(delivery: Delivery, frame: EventFrame): Delivery {
  const [{ batch, invocations }] = delivery.attempts as [Attempt]
  const names = [...batch.parts.keys()]
  const kept = new Set(names.slice(0, Math.ceil(names.length / 2)))
  const part = (isKept: boolean) =>
    makeBatch(
      selectParts(batch.parts, (name) => kept.has(name) === isKept),
      frame,
    )
  const other = beginDelivery(part(false), delivery.assignment)
  delivery.attempts = [beginAttempt(part(true), invocations)]
  delivery.names = [...kept]
  other.attempts[0]!.invocations = invocations
  if (delivery.invoked !== undefined) other.invoked = delivery.invoked
  return other
}

/** Separates the records that are too old from the others; undefined when none is. `oldest`: ms since 1970. */
export function splitByAge({ parts }: Batch, oldest: number): [aged: BatchParts, young: BatchParts] | undefined {
  const aged = selectParts(parts, (_name, _offset, timestamp) => timestamp < oldest)
  if (aged.size === 0) return undefined
  return [aged, selectParts(parts, (_name, _offset, timestamp) => timestamp >= oldest)]
}

/** The records that are delivered again after the function has reported these offsets as failed. */
export function leftAfter(
  { parts }: Batch,
  failed: Map<string, Set<number>>,
  redelivery: DeliveryReading['redelivery'],
): BatchParts {
  if (redelivery === 'failed-only') return selectParts(parts, (name, offset) => failed.get(name)?.has(offset) ?? false)
  const first = new Map([...failed].map(([name, offsets]) => [name, offsets.values().reduce((a, b) => Math.min(a, b))]))
  return selectParts(parts, (name, offset) => offset >= (first.get(name) ?? Number.POSITIVE_INFINITY))
}

/** The first offset of the topic partition that has not been processed yet; undefined when there is none. */
export function firstLeft({ attempts }: Delivery, name: string): number | undefined {
  const offsets = attempts.flatMap(({ batch }) => batch.parts.get(name)?.firstOffset ?? [])
  return offsets.length === 0 ? undefined : Math.min(...offsets)
}
