import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { archiveMarks } from '#adapters/iceberg/archive-table.ts'
import { currentSnapshot } from '#adapters/iceberg/table-metadata.ts'
import { loadArchive, localArchive } from '#commands/archive/archive-access.ts'
import { feedTrips } from '#commands/feed/taxi-feed.ts'
import { readApplied } from '#commands/rebuild/live-fence.ts'
import type { TestPipeline } from '#test-support/pipeline.ts'

/** From commit in the source until it is in the archive table, while trips are inserted at a rate. */
export type ArchiveDelay = { readonly samples: number; readonly medianMs: number; readonly mostMs: number }

const POLL_MS = 20

/** Takes one sample after the other during the load: a commit, and the first table snapshot that has it. */
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
  while (feeding) {
    const startedAt = performance.now()
    const ends = await endsAfterBeacon(pipeline)
    while (!(await hasAll(archive, ends))) await pause(POLL_MS)
    samples.push(performance.now() - startedAt)
  }
  await fed
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    samples: sorted.length,
    medianMs: Math.round(sorted[Math.floor(sorted.length / 2)]!),
    mostMs: Math.round(sorted.at(-1)!),
  }
}

type Ends = ReadonlyMap<number, number>

/** Offsets of the topic behind a beacon that is emitted now, and so behind every commit before it. */
async function endsAfterBeacon({ source, target }: TestPipeline): Promise<Ends> {
  const { rows } = await source.query<{ number: string }>('select tidemark.emit_beacon() as number')
  const number = Number(rows[0]!.number)
  for (;;) {
    const { rows: lagging } = await target.query(
      `select from tidemark.progress where consumer = 'tidemark-latest-state' and coalesce(beacon_number, 0) < $1`,
      [number],
    )
    if (lagging.length === 0) break
    await pause(POLL_MS)
  }
  const client = await target.connect()
  try {
    const applied = await readApplied(client)
    return new Map(
      applied.filter(({ topic }) => topic === 'changes').map(({ topicPartition, to }) => [topicPartition, to]),
    )
  } finally {
    client.release()
  }
}

async function hasAll(archive: ReturnType<typeof localArchive>, ends: Ends): Promise<boolean> {
  const summary = currentSnapshot(await loadArchive(archive))?.summary
  const offsets = JSON.parse(summary?.[archiveMarks.offsets] ?? '{}') as Record<string, Record<string, number>>
  return Array.from(ends).every(([topicPartition, end]) => (offsets['changes']?.[topicPartition] ?? 0) >= end)
}
