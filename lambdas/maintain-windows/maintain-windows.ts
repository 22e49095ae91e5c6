import type { MSKEvent } from 'aws-lambda'
import { NotYetAppliedError, type Windows } from '#adapters/postgres/windows/windows.ts'
import { decodeDelivered } from '../apply-latest-state/delivered-record.ts'
import { histogramOf } from '../apply-latest-state/latency-histogram.ts'
import { eachTopicPartition, type KafkaBatchResponse, reportFailures } from '../batch-item-failures.ts'
import { metricsLine } from '../metrics-line.ts'
import type { PublishSummary } from './publish-windows.ts'

/** What the function works with. */
export type MaintainWindowsOptions = {
  /** The topic of captured changes: a record of any other topic is refused. */
  readonly topic: string
  readonly windows: Windows
  /** Number of definitions that are stopped. */
  readonly countStopped: () => Promise<number>
  /** Publishes what waits, until the time, in the milliseconds of `now`. */
  readonly publish: (deadline: number) => Promise<PublishSummary>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Writes a line of the log. */
  readonly print: (line: string) => void
}

/**
 * How long an invocation reconciles rows after its records are applied. Records that come meanwhile wait for the mapping,
 * and an invocation without records, of the schedule, may take longer.
 */
const budgetMs = { delivery: 500, schedule: 30_000 }
/** How long it publishes after that. What is left is published by the next invocation. */
const publishMs = { delivery: 2_000, schedule: 30_000 }

/**
 * Keeps windows equal to the latest state, all topic partitions of an event at the same time and each in its own
 * transaction. A topic partition that the latest state has not applied yet, or that fails, is reported as failed, so that
 * the mapping delivers it again; the others go on.
 */
export function makeMaintainWindows(options: MaintainWindowsOptions): (event: MSKEvent) => Promise<KafkaBatchResponse> {
  const { topic: changes, windows, countStopped, publish, now, print } = options
  return async (given) => {
    const event = { ...given, records: given.records ?? {} }
    const isScheduled = Object.keys(event.records).length === 0
    const total = { rows: 0, groups: 0 }
    const latenciesMs: number[] = []
    const failed = await eachTopicPartition(event, async (records, { topic, topicPartition }) => {
      if (topic !== changes) throw new Error(`the function got a record of topic ${topic}, which it does not consume`)
      const outcome = await windows.apply({ topic, topicPartition }, records.map(decodeDelivered))
      if (outcome.kind === 'stopped') {
        throw new Error(`${topic}-${topicPartition} is stopped at offset ${outcome.atOffset}: ${outcome.reason}`)
      }
      if (outcome.kind === 'duplicate') return
      total.rows += outcome.effect.rows
      total.groups += outcome.effect.groups
      const { committedAtMs } = outcome.effect
      if (committedAtMs !== undefined) latenciesMs.push(now() - committedAtMs)
    })
    for (const { name, reason } of failed) {
      if (!(reason instanceof NotYetAppliedError)) print(`${name} is not applied: ${reason.stack ?? reason.message}`)
    }
    const occasion = isScheduled ? 'schedule' : 'delivery'
    const notMaintained = await failureOf(windows.maintain(budgetMs[occasion]))
    // The records are applied, so that delivering them again would not help. The next invocation tries this again.
    if (notMaintained !== undefined)
      print(`windows are not reconciled: ${notMaintained.stack ?? notMaintained.message}`)
    const published = await publish(now() + publishMs[occasion])
    for (const { topic, reason } of published.problems) {
      print(`${topic} is not published to: ${reason.stack ?? reason.message}`)
    }
    const stopped = isScheduled ? await countStopped() : undefined
    print(
      metricsLine('windows', now(), [
        { name: 'WindowRows', unit: 'Count', value: total.rows },
        { name: 'WindowGroups', unit: 'Count', value: total.groups },
        { name: 'PublishedWindows', unit: 'Count', value: published.published },
        { name: 'RefusedWindows', unit: 'Count', value: published.refused },
        { name: 'FailedTopics', unit: 'Count', value: published.problems.length },
        { name: 'FailedTopicPartitions', unit: 'Count', value: failed.length },
        { name: 'FailedReconciliations', unit: 'Count', value: notMaintained === undefined ? 0 : 1 },
        { name: 'StoppedDefinitions', unit: 'Count', value: stopped },
        {
          name: 'CommitToWindowMs',
          unit: 'Milliseconds',
          value: latenciesMs.length > 0 ? histogramOf(latenciesMs) : undefined,
        },
      ]),
    )
    return reportFailures(event, failed)
  }
}

const failureOf = (work: Promise<void>): Promise<Error | undefined> =>
  work.then(
    () => undefined,
    (error: Error) => error,
  )
