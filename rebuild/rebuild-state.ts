import { formatQuantity } from '#terminal/quantities.ts'
import type { ArchiveAccess } from '#verify/archive/archive-access.ts'
import { ArchiveReading, requireAll } from './archive-reading.ts'
import { type Cut, describeCut } from './cut.ts'
import { readApplied, waitForArchive } from './live-fence.ts'
import { type PublishedTable, publishState, requireFreeSchema } from './published-state.ts'
import { RecordSpool, type StreamBound } from './record-spool.ts'
import { beginWithEpoch, CHANGES, makeReplay } from './replay.ts'
import { createScratch, type ScratchDatabase, withClient } from './scratch-database.ts'
import { compareStates, type StateComparison } from './state-comparison.ts'
import { readStopped, readUnderWay, type UnfinishedTable, withStateSession } from './state-session.ts'

/** The options of both kinds of rebuild. */
export type RebuildOptions = {
  readonly archive: ArchiveAccess
  /** `schema.table`; if empty, all tables. */
  readonly tables: readonly string[]
  /** It is called with what is done at the moment. */
  readonly onProgress: (what: string) => void
  /** Aborting it ends the rebuild, which then leaves nothing behind. */
  readonly signal?: AbortSignal | undefined
}

/** How much was read, and how long that took. */
export type RebuildFigures = {
  readonly files: number
  readonly records: number
  readonly replayed: number
  readonly readSeconds: number
  readonly replaySeconds: number
  readonly seconds: number
}

/** The comparison of the rebuilt state with the live one. */
export type ComparedRebuild = StateComparison & RebuildFigures

/** The rebuilt state of another time, and its place. */
export type PublishedRebuild = RebuildFigures & {
  readonly schema: string
  readonly tables: readonly PublishedTable[]
  /** Tables that do not show what their source had then. */
  readonly unfinished: readonly UnfinishedTable[]
}

/**
 * Rebuilds the latest state from the archive, up to the records that the live target has applied when the rebuild has
 * caught up, and compares every row. Throws an Error if records are missing or there twice, and a LaggingError if the
 * archive does not get that far within `waitMs`.
 */
export function rebuildAndCompare(
  options: RebuildOptions & { readonly examples: number; readonly waitMs: number },
): Promise<ComparedRebuild> {
  const { archive, tables, examples, waitMs, onProgress, signal } = options
  return withWork(options, async (work) => {
    await work.reading.readAll()
    // Most records are replayed before the transaction on the live state begins, because a long transaction keeps
    // vacuum from removing dead rows there.
    const applied = await withClient(archive.target, readApplied)
    await work.replay(upTo(applied, await work.spool.ends()))
    return withStateSession(archive.target, async (live) => {
      const bounds = await readApplied(live.client)
      const wait = { deadlineMs: Date.now() + waitMs, onWait: onProgress, signal }
      await withClient(archive.target, (client) => waitForArchive(client, bounds, wait))
      await work.reading.readAll()
      await work.replay(bounds)
      const compared = await withStateSession(work.scratch.url, (rebuilt) =>
        compareStates({ rebuilt, live, tables, examples, onProgress }),
      )
      return { ...compared, ...work.figures() }
    })
  })
}

/**
 * Rebuilds the state of a cut and writes it to a schema of the target. Throws an Error if the archive does not allow
 * it.
 */
export async function rebuildAndPublish(
  options: RebuildOptions & { readonly cut: Cut; readonly schema: string; readonly replace: boolean },
): Promise<PublishedRebuild> {
  const { archive, tables, cut, schema, replace, onProgress } = options
  await withClient(archive.target, (target) => requireFreeSchema(target, schema, replace))
  return withWork(options, async (work) => {
    await work.replay(await work.reading.readUntil(cut))
    return withStateSession(work.scratch.url, async (rebuilt) => {
      const unfinished = [...(await readStopped(rebuilt)), ...(await readUnderWay(rebuilt))]
      const description = `the state ${describeCut(cut)}`
      const published = await withClient(archive.target, (target) =>
        publishState({ rebuilt, target, schema, tables, description, replace, onProgress }),
      )
      return { schema, tables: published, unfinished, ...work.figures() }
    })
  })
}

type Work = {
  readonly scratch: ScratchDatabase
  readonly spool: RecordSpool
  readonly reading: ArchiveReading
  /** Applies the records before the bounds that were not applied yet. */
  readonly replay: (bounds: readonly StreamBound[]) => Promise<void>
  readonly figures: () => RebuildFigures
}

async function withWork<T>(
  { archive, onProgress, signal }: RebuildOptions,
  run: (work: Work) => Promise<T>,
): Promise<T> {
  const startedMs = performance.now()
  onProgress('making a database for the rebuild')
  const scratch = await createScratch(archive.target)
  try {
    const spool = new RecordSpool(scratch.pool)
    await spool.open()
    const reading = new ArchiveReading({ archive, spool, onProgress, signal })
    const apply = makeReplay(scratch.pool, signal)
    let replayed = 0
    let replayMs = 0
    const replay = async (bounds: readonly StreamBound[]) => {
      await requireAll(spool, bounds)
      const beganMs = performance.now()
      if (spool.firstEpoch !== undefined) {
        const topicPartitions = bounds.flatMap((bound) => (bound.topic === CHANGES.topic ? [bound.topicPartition] : []))
        await beginWithEpoch(scratch.pool, spool.firstEpoch, topicPartitions)
      }
      await apply(spool.read(bounds), (records) => {
        replayed += records
        onProgress(`replaying: ${formatQuantity(replayed, 'record')}`)
      })
      replayMs += performance.now() - beganMs
    }
    const figures = () => ({
      ...{ files: reading.files, records: spool.records, replayed },
      ...{
        readSeconds: reading.seconds,
        replaySeconds: seconds(replayMs),
        seconds: seconds(performance.now() - startedMs),
      },
    })
    return await run({ scratch, spool, reading, replay, figures })
  } finally {
    await scratch.drop()
  }
}

const seconds = (ms: number): number => Math.round(ms) / 1000

/** The bounds, limited to the records that the archive has. */
function upTo(bounds: readonly StreamBound[], ends: Awaited<ReturnType<RecordSpool['ends']>>): StreamBound[] {
  return bounds.map((bound) => {
    const { topic, topicPartition, to } = bound
    const known = ends.find((each) => each.topic === topic && each.topicPartition === topicPartition)
    return { ...bound, to: Math.min(to, known?.end ?? 0) }
  })
}
