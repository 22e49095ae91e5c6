import type pg from 'pg'
import { archiveTableName } from '#adapters/iceberg/archive-catalog.ts'
import { currentSnapshot } from '#adapters/iceberg/table-metadata.ts'
import type { Engine } from '#localstack/engine.ts'
import { localCatalog } from '../archive/archive-access.ts'

/** How far the archive is. */
export type ArchiveObservation = {
  /** In the Iceberg table, as its newest table snapshot says. */
  rows: number
  files: number
  bytes: number
  tableSnapshots: number
  /** Written to data files and not committed. */
  waitingRecords: number
  /** How long the oldest record has waited to be committed, or could not even be written; null when none has. */
  oldestWaitingMs: number | null
  /** Since the newest commit; null before the first. */
  committedMsAgo: number | null
}

const readLedger = `
select coalesce(sum(waiting_records), 0)::float8 as "waitingRecords",
  (extract(epoch from clock_timestamp() - min(least(waiting_since, failing_since))) * 1000)::float8 as "oldestWaitingMs",
  (extract(epoch from clock_timestamp() - max(committed_at)) * 1000)::float8 as "committedMsAgo"
from tidemark.archive_status`

/** Asks the ledger, as a role that may read, and the catalog. */
export function makeObserveArchive(
  target: pg.Pool,
  { endpoints, outputs }: Pick<Engine, 'endpoints' | 'outputs'>,
): () => Promise<ArchiveObservation> {
  const catalog = localCatalog(endpoints, outputs['ArchiveWarehouse'])
  const table = archiveTableName({ namespace: outputs['ArchiveNamespace'] ?? '' })
  return async () => {
    const [ledger, loaded] = await Promise.all([
      target.query<Pick<ArchiveObservation, 'waitingRecords' | 'oldestWaitingMs' | 'committedMsAgo'>>(readLedger),
      catalog.loadTable(table),
    ])
    const summary = (loaded && currentSnapshot(loaded.metadata)?.summary) ?? {}
    return {
      rows: Number(summary['total-records'] ?? 0),
      files: Number(summary['total-data-files'] ?? 0),
      bytes: Number(summary['total-files-size'] ?? 0),
      tableSnapshots: loaded?.metadata.snapshots.length ?? 0,
      ...ledger.rows[0]!,
    }
  }
}
