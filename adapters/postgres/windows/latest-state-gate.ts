import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { CONSUMERS } from '#core/fixed-names.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import { prepared } from '../session/statement.ts'

/** How long a delivery waits while the latest state applies nothing, and in all, before it is given back to the mapping. */
const quietMs = 10_000
const longestMs = 30_000
const firstPauseMs = 2
const longestPauseMs = 25

/**
 * Waits until the latest state has applied the records of the topic partition before `end`, and returns the offset
 * before which it has. Windows take a row from the latest state, so they never overtake it. It does not wait for a
 * topic partition that is stopped there, and `waitMs` is how long it waits for one that applies nothing. A topic
 * partition that is stopped or begins again has no offset that can be compared: 0 is returned.
 */
export async function appliedBefore(
  pool: pg.Pool,
  { topic, topicPartition }: ProgressKey,
  end: number,
  waitMs = quietMs,
): Promise<number> {
  const began = performance.now()
  let latest = { offset: -1, atMs: began }
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 1.5, longestPauseMs)) {
    const { rows } = await pool.query<{ next_offset: string; stopped: boolean }>(
      prepared({
        text: `select case when p.rebased or s.topic is not null then 0 else p.next_offset end as next_offset,
           s.topic is not null as stopped
         from tidemark.progress p
         left join tidemark.stop s using (consumer, topic, topic_partition)
         where (p.consumer, p.topic, p.topic_partition) = ($1, $2, $3)`,
        values: [CONSUMERS.latestState, topic, topicPartition],
      }),
    )
    const offset = Number(rows[0]?.next_offset ?? 0)
    const now = performance.now()
    if (offset > latest.offset) latest = { offset, atMs: now }
    const isOver = now - latest.atMs > waitMs || now - began > longestMs
    if (offset >= end || rows[0]?.stopped === true || isOver) return offset
    await delay(pause)
  }
}
