import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { archiveMarks } from '#adapters/iceberg/archive/archive-table.ts'
import { currentSnapshot } from '#adapters/iceberg/table/table-metadata.ts'
import { feedTrips } from '#feed/taxi-feed.ts'
import { readApplied } from '#rebuild/live-fence.ts'
import type { TestPipeline } from '#test-support/pipeline.ts'
import { localArchive } from '#verify/archive/archive-access.ts'
import { openSession } from '#verify/database-session.ts'
import { waitUntilVisible } from '#verify/watermark.ts'
import { spreadOf } from '../machine/statistics.ts'

/** The time from a commit in the source until the archive table has the change, while trips are inserted at a rate. */
export type ArchiveDelay = { readonly samples: number; readonly medianMs: number; readonly mostMs: number }

const POLL_MS = 20
/** When a change is not visible after this time, the stack is not running. */
const WAIT_MS = 120_000

/** Takes one sample after the other during the load. A sample is a commit and the first table snapshot that has it. */
export async function measureArchiveDelay(
  pipeline: TestPipeline,
  source: pg.Client,
  load: { trips: string[]; rows: number; perSecond: number },
): Promise<ArchiveDelay> {
  const { endpoints, outputs } = pipeline.engine
  const archive = localArchive(endpoints, outputs['ArchiveNamespace']!, outputs['ArchiveWarehouse'])
  const samples: number[] = []
  let feeding = true
  const fed = feedTrips(source, load).finally(() => {
    feeding = false
  })
  // When a sample fails, the connection of the load is closed and the load fails, too. The error of the sample is the
  // one to report.
  fed.catch(() => undefined)
  while (feeding) {
    const startedAt = performance.now()
    const ends = await endsOfCommitted(pipeline)
    while (!(await hasAll(archive, ends))) await pause(POLL_MS)
    samples.push(performance.now() - startedAt)
  }
  await fed
  const { median, most } = spreadOf(samples)
  return { samples: samples.length, medianMs: Math.round(median), mostMs: Math.round(most) }
}

type Ends = ReadonlyMap<number, number>

/**
 * The offsets after everything that is committed now. They are the latest-state function's progress at the moment when
 * that is visible.
 */
async function endsOfCommitted({ engine: { endpoints }, target: pool }: TestPipeline): Promise<Ends> {
  const source = await openSession('source', endpoints.source)
  const target = await openSession('target', endpoints.target)
  const client = await pool.connect()
  try {
    await waitUntilVisible({ source, target, deadline: Date.now() + WAIT_MS, onWait: () => undefined })
    const applied = await readApplied(client)
    return new Map(
      applied.filter(({ topic }) => topic === 'changes').map(({ topicPartition, to }) => [topicPartition, to]),
    )
  } finally {
    client.release()
    await Promise.all([source.close(), target.close()])
  }
}

async function hasAll(archive: ReturnType<typeof localArchive>, ends: Ends): Promise<boolean> {
  // There is no table before the first commit.
  const loaded = await archive.catalog.loadTable(archive.table)
  const summary = loaded && currentSnapshot(loaded.metadata)?.summary
  const offsets = JSON.parse(summary?.[archiveMarks.offsets] ?? '{}') as Record<string, Record<string, number>>
  return Array.from(ends).every(([topicPartition, end]) => (offsets['changes']?.[topicPartition] ?? 0) >= end)
}
