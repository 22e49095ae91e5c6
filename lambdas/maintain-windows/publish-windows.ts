import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { TopicDeletedError, UnusableTopicError } from '#adapters/kafka/compacted-topic.ts'
import { type FencedProducer, isRefusedForGood } from '#adapters/kafka/fenced-producer.ts'
import {
  type HeldOutbox,
  holdOutbox,
  notePublishProblem,
  type OutboxRow,
  topicsToPublish,
} from '#adapters/postgres/windows/window-outbox.ts'

/** What publishing works with. */
export type PublishWindowsOptions = {
  /** The target. A session is used for each topic at the same time, and `max` of the pool bounds their number. */
  readonly pool: pg.Pool
  /** The producer of a topic, which stays connected between calls. */
  readonly producerOf: (topic: string) => FencedProducer
  /** Milliseconds of any clock. */
  readonly now: () => number
}

/** What a call has published, and why topics were not published to. */
export type PublishSummary = {
  readonly published: number
  readonly refused: number
  readonly problems: readonly { readonly topic: string; readonly reason: Error }[]
}

const MOST_ROWS = 5_000
const ATTEMPTS = 3
const AGAIN_MS = 200
/** How long a topic is left alone after a problem, so that each invocation does not wait for the same brokers. */
const SOON_MS = 10_000
const LATER_MS = 60_000

/**
 * Publishes what waits in the outbox, all topics at the same time and each by one publisher, until nothing waits or the
 * time is up. A topic that cannot be published to is noted in `tidemark.window_topic` and does not keep the others.
 * What is not published now is published by a later call.
 */
export function makePublishWindows(options: PublishWindowsOptions): (deadline: number) => Promise<PublishSummary> {
  return async (deadline) => {
    const tally = { published: 0, refused: 0 }
    try {
      const topics = await topicsToPublish(options.pool)
      const outcomes = await Promise.all(topics.map((topic) => publishTopic(options, topic, deadline, tally)))
      return { ...tally, problems: outcomes.filter((problem) => problem !== undefined) }
    } catch (error) {
      // The target does not answer. The records of the invocation are applied, so that failing it would not help.
      return { ...tally, problems: [{ topic: 'any topic', reason: error as Error }] }
    }
  }
}

type Tally = { published: number; refused: number }

async function publishTopic(options: PublishWindowsOptions, topic: string, deadline: number, tally: Tally) {
  const { pool, now } = options
  for (let attempt = 1; ; attempt++) {
    try {
      await publishWhatWaits(options, topic, deadline, tally)
      return undefined
    } catch (error) {
      const reason = error as Error
      const isLasting = reason instanceof UnusableTopicError || isRefusedForGood(reason)
      if (!isLasting && attempt < ATTEMPTS && now() < deadline) {
        await pause(AGAIN_MS)
        continue
      }
      await notePublishProblem(pool, topic, reason.message, isLasting ? LATER_MS : SOON_MS)
      return { topic, reason }
    }
  }
}

/**
 * Rows that were committed while the publisher before was ending are seen by nobody else: its outbox was empty to it,
 * and the invocation that committed them found the topic held.
 */
async function publishWhatWaits(options: PublishWindowsOptions, topic: string, deadline: number, tally: Tally) {
  const { pool, producerOf, now } = options
  do {
    const end = await holdOutbox(pool, topic, (outbox) =>
      drain(outbox, producerOf(topic), () => now() < deadline, tally),
    )
    if (end !== 'empty') return
  } while ((await topicsToPublish(pool)).includes(topic))
}

/** The order is what makes it safe (decision 025): take the topic, begin, read, publish, delete. */
async function drain(outbox: HeldOutbox, producer: FencedProducer, hasTime: () => boolean, tally: Tally) {
  for (let limit = MOST_ROWS; hasTime(); ) {
    const topicPartitions = await beginOrPublishAgain(outbox, producer)
    if (topicPartitions !== undefined) await outbox.noteTopicPartitions(topicPartitions)
    const rows = await outbox.next(limit)
    if (rows.length === 0) {
      await outbox.clearProblem()
      return 'empty'
    }
    const outcome = await producer.publish(lastOfEachKey(rows))
    if (outcome === 'published') {
      await outbox.published(rows)
      tally.published += rows.length
      limit = Math.min(MOST_ROWS, limit * 2)
    } else if (rows.length > 1) {
      limit = Math.ceil(rows.length / 2)
    } else {
      await outbox.refuse(rows, reasonOfSize(rows[0]!))
      tally.refused++
      limit = MOST_ROWS
    }
  }
  return 'time is up'
}

async function beginOrPublishAgain(outbox: HeldOutbox, producer: FencedProducer): Promise<number | undefined> {
  const begin = () => producer.begin(() => outbox.topicPartitions())
  try {
    return await begin()
  } catch (error) {
    if (!(error instanceof TopicDeletedError)) throw error
    await outbox.publishAgain()
    return begin()
  }
}

const lastOfEachKey = (rows: readonly OutboxRow[]) => [...new Map(rows.map((row) => [row.key, row])).values()]

const reasonOfSize = ({ value }: OutboxRow): string =>
  `the value has ${Buffer.byteLength(value ?? '')} bytes, which is more than max.message.bytes of the topic allows: raise it, or let the definition compute less`
