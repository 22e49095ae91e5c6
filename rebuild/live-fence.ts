import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { formatCount } from '#terminal/quantities.ts'
import { LaggingError } from '#verify/watermark.ts'
import type { StreamBound } from './record-spool.ts'
import { CHANGES, USER_EVENTS } from './replay.ts'

const POLL_MS = 100

/**
 * How far the live latest state is applied, as the transaction of `client` sees it. Rows and progress are written
 * together, so the visible rows are those of exactly these records.
 */
export async function readApplied(client: pg.ClientBase): Promise<StreamBound[]> {
  const { rows } = await client.query<{ topic: string; topic_partition: number; next_offset: string }>(
    `select topic, topic_partition, next_offset
     from tidemark.progress
     where (consumer, topic) in (($1, $2), ($3, $4))
     order by topic, topic_partition`,
    [CHANGES.consumer, CHANGES.topic, USER_EVENTS.consumer, USER_EVENTS.topic],
  )
  return rows.map((row) => ({ topic: row.topic, topicPartition: row.topic_partition, to: Number(row.next_offset) }))
}

/** Waits until the archive table has every record before the bounds. Throws a LaggingError at the deadline. */
export async function waitForArchive(
  client: pg.ClientBase,
  bounds: readonly StreamBound[],
  {
    deadlineMs,
    onWait,
    signal,
  }: { deadlineMs: number; onWait: (what: string) => void; signal?: AbortSignal | undefined },
): Promise<void> {
  for (;;) {
    const lagging = await findLagging(client, bounds)
    if (lagging === undefined) return
    onWait(`waiting for ${lagging}`)
    if (Date.now() > deadlineMs) throw new LaggingError(`gave up waiting for ${lagging}`)
    await pause(POLL_MS, undefined, signal && { signal })
  }
}

async function findLagging(client: pg.ClientBase, bounds: readonly StreamBound[]): Promise<string | undefined> {
  const { rows } = await client.query<{ name: string; committed_to: string | null }>(
    `select topic || '-' || topic_partition as name, committed_to from tidemark.archive_status`,
  )
  const committed = new Map(rows.map(({ name, committed_to }) => [name, Number(committed_to ?? 0)]))
  const lagging = bounds.find(
    ({ topic, topicPartition, to }) => (committed.get(`${topic}-${topicPartition}`) ?? 0) < to,
  )
  if (lagging === undefined) return undefined
  const name = `${lagging.topic}-${lagging.topicPartition}`
  return `the archive to commit ${name} to offset ${formatCount(lagging.to)} (now at ${formatCount(committed.get(name) ?? 0)})`
}
