// How does one event become one transaction per topic partition, and what is reported as failed?

import type { MSKEvent } from 'aws-lambda'
import type pg from 'pg'
import type { ApplyOutcome } from '#adapters/postgres/delivery/apply-transaction.ts'
import type { ProgressKey } from '#adapters/postgres/delivery/progress.ts'
import { isLockTimeout, type LockWait } from '#adapters/postgres/session/lock-wait.ts'
import { eachStage, LATENCY_METRIC, STAGE_METRICS, type Stage } from '#core/status/latencies.ts'
import type { ChangeTimes } from '#core/wire/change-times.ts'
import {
  eachTopicPartition,
  type KafkaBatchResponse,
  reportFailures,
  type TopicPartition,
} from '../batch-item-failures.ts'
import { type Metric, metricsLine } from '../metrics-line.ts'
import { type DeliveredRecord, decodeDelivered } from './delivered-record.ts'
import { histogramOf } from './latency-histogram.ts'
import { stagesOf } from './stage-latencies.ts'

/** The result of applying records, for any kind of topic. */
export type Effect = {
  readonly changes: number
  readonly quarantined: number
  readonly committedAtMs?: readonly number[]
  /** Times of the newest applied change, if they are known. */
  readonly newest?: ChangeTimes | undefined
  readonly awaitsCapture?: boolean
  readonly resyncs?: readonly string[]
}

/** The consumer of a topic, which applies its records. */
export type TopicConsumer = {
  readonly consumer: string
  apply(key: ProgressKey, records: readonly DeliveredRecord[], wait: LockWait): Promise<ApplyOutcome<Effect>>
}

/** What the function works with. */
export type ApplyLatestStateOptions = {
  /** By topic: a record of any other topic is refused. */
  readonly consumers: ReadonlyMap<string, TopicConsumer>
  /** Topic partitions, such as `changes-2`, whose quarantined records are to be applied now. */
  readonly waiting: () => Promise<readonly string[]>
  /** Number of tables that are shown but are not captured any more. */
  readonly countNotCaptured: () => Promise<number>
  /**
   * The pool with which the holder of a lock is found, when a topic partition waits for that lock. It is not the pool
   * that applies, because all connections of that pool may be waiting.
   */
  readonly asking?: pg.Pool
  /**
   * Invokes capture-tables, so that pending tables are captured at once instead of at the next schedule, and the tables
   * of `resync` are read again.
   */
  readonly requestCapture: (payload: { readonly resync: readonly string[] }) => Promise<void>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Writes a line of the log. */
  readonly print: (line: string) => void
}

type Summary = {
  invokedAtMs: number
  changes: number
  duplicates: number
  quarantined: number
  latenciesMs: number[]
  /** Of the newest change of each topic partition. */
  stagesMs: Record<Stage, number[]>
  awaitsCapture: boolean
  resyncs: Set<string>
}

/**
 * Applies the records of an event, all topic partitions at the same time and each in its own transaction. A topic
 * partition that is stopped or fails is reported as failed, so that the mapping delivers it again; the others go on.
 * Records that were applied before are skipped. A topic partition that waits for a lock is tried once more after the
 * others. An event without topic partitions comes from the schedule, once a minute: it is for topic partitions whose
 * quarantined records are to be applied now, and for counting tables that are not captured.
 */
export function makeApplyLatestState(
  options: ApplyLatestStateOptions,
): (event: MSKEvent) => Promise<KafkaBatchResponse> {
  return async (given) => {
    const invokedAtMs = options.now()
    const isScheduled = Object.keys(given.records ?? {}).length === 0
    const event = isScheduled ? await eventOfWaiting(options, given) : given
    const notCaptured = isScheduled ? await options.countNotCaptured() : undefined
    const summary: Summary = {
      invokedAtMs,
      changes: 0,
      duplicates: 0,
      quarantined: 0,
      latenciesMs: [],
      stagesMs: eachStage(() => []),
      awaitsCapture: false,
      resyncs: new Set(),
    }
    const failed = await applyAll(options, event, summary)
    for (const { name, reason } of failed) options.print(`${name} is not applied: ${reason.stack ?? reason.message}`)
    options.print(metricsLine('latest-state', options.now(), describeMetrics(summary, failed.length, notCaptured)))
    const resync = [...summary.resyncs]
    if (summary.awaitsCapture || resync.length > 0) await options.requestCapture({ resync })
    return reportFailures(event, failed)
  }
}

async function eventOfWaiting({ waiting }: ApplyLatestStateOptions, event: MSKEvent): Promise<MSKEvent> {
  return { ...event, records: Object.fromEntries((await waiting()).map((name) => [name, []])) }
}

/**
 * How long a topic partition waits for a lock: first while others may need its connection, last after they are applied.
 */
const firstWait: LockWait = { milliseconds: 1_000 }
const lastWait: LockWait = { milliseconds: 5_000 }

/**
 * There are fewer connections than topic partitions. A topic partition that waits for a lock is tried again last, so
 * that it does not keep a connection from the others.
 */
async function applyAll(options: ApplyLatestStateOptions, event: MSKEvent, summary: Summary) {
  const [first, last] = [firstWait, { ...lastWait, asking: options.asking }]
  const failed = await eachTopicPartition(event, (records, of) => applyOne(options, of, records, summary, first))
  const [waiting, others] = [true, false].map((is) => failed.filter(({ reason }) => isLockTimeout(reason) === is))
  const names = waiting!.map(({ name }) => name)
  const still = await eachTopicPartition(event, (records, of) => applyOne(options, of, records, summary, last), names)
  return [...others!, ...still]
}

async function applyOne(
  options: ApplyLatestStateOptions,
  { topic, topicPartition }: TopicPartition,
  records: MSKEvent['records'][string],
  summary: Summary,
  wait: LockWait,
) {
  const consumer = options.consumers.get(topic)
  if (consumer === undefined) throw new Error(`the function got a record of topic ${topic}, which it does not consume`)
  const key = { consumer: consumer.consumer, topic, topicPartition }
  const outcome = await consumer.apply(key, records.map(decodeDelivered), wait)
  switch (outcome.kind) {
    case 'stopped':
      throw new Error(`${topic}-${topicPartition} is stopped at offset ${outcome.atOffset}: ${outcome.reason}`)
    case 'duplicate':
      summary.duplicates += records.length
      break
    case 'applied': {
      const { effect } = outcome
      const visibleAtMs = options.now()
      summary.duplicates += outcome.duplicates
      summary.changes += effect.changes
      summary.quarantined += effect.quarantined
      summary.awaitsCapture ||= effect.awaitsCapture === true
      for (const table of effect.resyncs ?? []) summary.resyncs.add(table)
      for (const committedAtMs of effect.committedAtMs ?? []) summary.latenciesMs.push(visibleAtMs - committedAtMs)
      if (effect.newest !== undefined) {
        const took = stagesOf(effect.newest, summary.invokedAtMs, visibleAtMs)
        eachStage((stage) => summary.stagesMs[stage].push(took[stage]))
      }
    }
  }
}

function describeMetrics(
  { changes, duplicates, quarantined, latenciesMs, stagesMs }: Summary,
  failed: number,
  notCaptured: number | undefined,
): Metric[] {
  const latency = (name: string, measuredMs: readonly number[]): Metric => ({
    name,
    unit: 'Milliseconds',
    value: measuredMs.length > 0 ? histogramOf(measuredMs) : undefined,
  })
  return [
    { name: 'AppliedChanges', unit: 'Count', value: changes },
    { name: 'DuplicateRecords', unit: 'Count', value: duplicates },
    { name: 'QuarantinedRecords', unit: 'Count', value: quarantined },
    { name: 'FailedTopicPartitions', unit: 'Count', value: failed },
    { name: 'NotCapturedTables', unit: 'Count', value: notCaptured },
    latency(LATENCY_METRIC, latenciesMs),
    ...Object.values(eachStage((stage) => latency(STAGE_METRICS[stage], stagesMs[stage]))),
  ]
}
