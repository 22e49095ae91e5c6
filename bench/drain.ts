import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { feedTrips } from '#commands/feed/taxi-feed.ts'
import type { TestPipeline } from '#test-support/pipeline.ts'

/** A load of trips and the rates it went through the pipeline at, in rows per second. */
export type DrainResult = {
  readonly rows: number
  /** From the first insert until Debezium has everything on the topic, with nothing applied meanwhile. */
  readonly capturedPerSecond: number
  /** The filled topic, from the moment that applying may begin. */
  readonly appliedPerSecond: number
}

/**
 * How fast a topic that is filled beforehand is applied. While it fills, the progress rows are locked: deliveries wait
 * at the fence, as they would behind any transaction.
 */
export async function measureDrain(
  pipeline: TestPipeline,
  source: pg.Client,
  load: { trips: string[]; rows: number },
): Promise<DrainResult> {
  const { rows } = load
  await pipeline.compare()
  const before = await appliedOffsets(pipeline)
  const fence = await pipeline.target.connect()
  await fence.query('begin')
  await fence.query('select from tidemark.progress for update')
  const capturedIn = await secondsOf(async () => {
    await feedTrips(source, { ...load, perSecond: Number.POSITIVE_INFINITY })
    await captured(source)
  })
  const appliedIn = await secondsOf(async () => {
    await fence.query('commit')
    fence.release()
    while ((await appliedOffsets(pipeline)) < before + rows) await pause(20)
  })
  return { rows, capturedPerSecond: Math.round(rows / capturedIn), appliedPerSecond: Math.round(rows / appliedIn) }
}

/** From the moment that the last of a load is on the topic until it is visible, with applying under way all along. */
export async function measureTail(
  pipeline: TestPipeline,
  source: pg.Client,
  load: { trips: string[]; rows: number },
): Promise<{ rows: number; lastVisibleAfterSeconds: number }> {
  await pipeline.compare()
  const before = await appliedOffsets(pipeline)
  await feedTrips(source, { ...load, perSecond: Number.POSITIVE_INFINITY })
  await captured(source)
  const lastVisibleAfterSeconds = await secondsOf(async () => {
    while ((await appliedOffsets(pipeline)) < before + load.rows) await pause(20)
  })
  return { rows: load.rows, lastVisibleAfterSeconds }
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return Math.round(performance.now() - start) / 1000
}

async function appliedOffsets({ target }: TestPipeline): Promise<number> {
  const statement = `select sum(next_offset)::int as applied from tidemark.progress where topic = 'changes'`
  return (await target.query(statement)).rows[0].applied
}

/** Debezium confirms a place of the log once everything before it is on the topic. */
async function captured(source: pg.Client): Promise<void> {
  const { rows } = await source.query('select pg_current_wal_lsn() as lsn')
  const statement = 'select from pg_replication_slots where confirmed_flush_lsn >= $1'
  while ((await source.query(statement, [rows[0].lsn])).rowCount === 0) await pause(50)
}
