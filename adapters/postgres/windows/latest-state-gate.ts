import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { CONSUMERS } from '#core/fixed-names.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import { prepared } from '../session/statement.ts'

/** How long a delivery waits for the latest state before it is given back to the mapping. */
const longestWaitMs = 2_000
const firstPauseMs = 2
const longestPauseMs = 25

/**
 * Waits until the latest state has applied the records of the topic partition before `end`, and returns the offset
 * before which it has. Windows take a row from the latest state, so they never overtake it. A topic partition that is
 * stopped or begins again there has no offset that can be compared: 0 is returned.
 */
export async function appliedBefore(
  pool: pg.Pool,
  { topic, topicPartition }: ProgressKey,
  end: number,
  waitMs = longestWaitMs,
): Promise<number> {
  const deadline = performance.now() + waitMs
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 1.5, longestPauseMs)) {
    const { rows } = await pool.query<{ next_offset: string }>(
      prepared({
        text: `select case when p.rebased or s.topic is not null then 0 else p.next_offset end as next_offset
         from tidemark.progress p
         left join tidemark.stop s using (consumer, topic, topic_partition)
         where (p.consumer, p.topic, p.topic_partition) = ($1, $2, $3)`,
        values: [CONSUMERS.latestState, topic, topicPartition],
      }),
    )
    const nextOffset = Number(rows[0]?.next_offset ?? 0)
    if (nextOffset >= end || performance.now() > deadline) return nextOffset
    await delay(pause)
  }
}
