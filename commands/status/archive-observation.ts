import type pg from 'pg'
import { archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { currentSnapshot } from '#adapters/iceberg/table/table-metadata.ts'
import type { Engine } from '#localstack/engine.ts'
import { localCatalog } from '#verify/archive/archive-access.ts'

/** The state of the archive. */
export type ArchiveObservation = {
  /** The content of the newest table snapshot of the Iceberg table. It may be ten seconds old. */
  rows: number
  files: number
  bytes: number
  tableSnapshots: number
  /** The number of records that are in data files and not committed. */
  waitingRecords: number
  /** How long the oldest record has waited to be committed, or has failed to be written; null if none waits. */
  oldestWaitingMs: number | null
  /** The time since the newest commit; null before the first. */
  committedMsAgo: number | null
}

type Ledger = Pick<ArchiveObservation, 'waitingRecords' | 'oldestWaitingMs' | 'committedMsAgo'> & {
  readonly committedAt: string | null
}

/** The metadata of a table with a commit every second is long, so a status does not read it after each of them. */
const LEAST_MS = 10_000
/**
 * The metadata is read again after this time even without a new commit, because other engines also change the table,
 * and the catalog may be gone.
 */
const MOST_MS = 30_000

const readLedger = `
select coalesce(sum(waiting_records), 0)::float8 as "waitingRecords",
  (extract(epoch from clock_timestamp() - min(least(waiting_since, failing_since))) * 1000)::float8 as "oldestWaitingMs",
  (extract(epoch from clock_timestamp() - max(committed_at)) * 1000)::float8 as "committedMsAgo",
  max(committed_at)::text as "committedAt"
from tidemark.archive_status`

/**
 * Caches the result of `load`. It is loaded again when `version` has changed and the result is ten seconds old, or when
 * it is half a minute old. A failure is not cached.
 */
export function loadRarely<T>(load: () => Promise<T>, now: () => number): (version: unknown) => Promise<T> {
  let last: { readonly loaded: T; readonly version: unknown; readonly atMs: number } | undefined
  return async (version) => {
    const ageMs = last === undefined ? Number.POSITIVE_INFINITY : now() - last.atMs
    if (last !== undefined && ageMs < (version === last.version ? MOST_MS : LEAST_MS)) return last.loaded
    const atMs = now()
    last = undefined
    const loaded = await load()
    last = { loaded, version, atMs }
    return loaded
  }
}

/** Observes the ledger, as a role that may read, and the catalog. */
export function makeObserveArchive(
  target: pg.Pool,
  { endpoints, outputs }: Pick<Engine, 'endpoints' | 'outputs'>,
): () => Promise<ArchiveObservation> {
  const catalog = localCatalog(endpoints, outputs['ArchiveWarehouse'])
  const table = archiveTableName({ namespace: outputs['ArchiveNamespace'] ?? '' })
  const readTable = loadRarely(
    async () => {
      const metadata = (await catalog.loadTable(table))?.metadata
      const summary = (metadata && currentSnapshot(metadata)?.summary) ?? {}
      return {
        rows: Number(summary['total-records'] ?? 0),
        files: Number(summary['total-data-files'] ?? 0),
        bytes: Number(summary['total-files-size'] ?? 0),
        tableSnapshots: metadata?.snapshots.length ?? 0,
      }
    },
    () => performance.now(),
  )
  return async () => {
    const ledger = await target.query<Ledger>(readLedger)
    const { committedAt, ...waiting } = ledger.rows[0]!
    return { ...(await readTable(committedAt)), ...waiting }
  }
}
