import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { feedTrips, loadTrips, prepareTaxiTables } from '#commands/feed/taxi-feed.ts'
import type { TestPipeline } from '#test-support/pipeline.ts'

/** What draining came to; the load is `rows` creates of the 20-column trips. */
export type DrainResult = { rows: number; captureSeconds: number; seconds: number; perSecond: number }

/**
 * How fast a topic that is filled beforehand is applied. While it fills, the progress rows are locked: deliveries wait
 * at the fence, as they would behind any transaction.
 */
export async function measureDrain(pipeline: TestPipeline, rows: number): Promise<DrainResult> {
  const client = new pg.Client({ connectionString: pipeline.engine.endpoints.source })
  await client.connect()
  await prepareTaxiTables(client)
  await pipeline.compare()
  const before = await appliedOffsets(pipeline)
  const fence = await pipeline.target.connect()
  await fence.query('begin; select from tidemark.progress for update')
  const fed = performance.now()
  await feedTrips(client, { trips: await loadTrips(), rows, perSecond: Number.POSITIVE_INFINITY })
  const { rows: end } = await client.query('select pg_current_wal_lsn() as lsn')
  await confirmed(pipeline, end[0].lsn)
  const captureSeconds = (performance.now() - fed) / 1000
  await client.end()
  const start = performance.now()
  await fence.query('commit')
  fence.release()
  while ((await appliedOffsets(pipeline)) < before + rows) await pause(20)
  const seconds = (performance.now() - start) / 1000
  return { rows, captureSeconds, seconds, perSecond: Math.round(rows / seconds) }
}

async function appliedOffsets({ target }: TestPipeline): Promise<number> {
  const { rows } = await target.query(
    `select sum(next_offset)::int as n from tidemark.progress where topic = 'changes'`,
  )
  return rows[0].n
}

/** Debezium confirms a place once everything before it is on the topic. */
async function confirmed({ source }: TestPipeline, lsn: string): Promise<void> {
  const statement = 'select from pg_replication_slots where confirmed_flush_lsn >= $1'
  while ((await source.query(statement, [lsn])).rowCount === 0) await pause(100)
}
