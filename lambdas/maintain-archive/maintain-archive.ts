import type { ScannedFile } from '#adapters/iceberg/archive/archive-scan.ts'
import type { TableLedger } from '#adapters/iceberg/archive/known-table.ts'
import type { CommitTools } from '#adapters/iceberg/catalog/commit-once.ts'
import type { LoadedTable } from '#adapters/iceberg/catalog/rest-catalog.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import { expireSnapshots, type Retention } from './expire-snapshots.ts'
import { mergeSmallManifests } from './merge-small-manifests.ts'
import { removeOrphans } from './remove-orphans.ts'

/** What the function works with. */
export type MaintainArchiveOptions = Omit<CommitTools, 'store'> & {
  readonly store: ObjectStore
  /** Runs the work while it holds the committer's lock; gives `busy` when it does not get the lock. */
  readonly inTurn: <T>(work: (ledger: MaintainedLedger) => Promise<T>) => Promise<T | 'busy'>
  /**
   * Undefined while nothing was archived. Throws when the table is not the one that the ledger belongs to: maintaining
   * another table, perhaps at the same place, would remove the files of the archive. Without `ledger`, the table is
   * read without the committer's lock.
   */
  readonly loadTable: (ledger?: TableLedger) => Promise<LoadedTable | undefined>
  /** Stores which data files are gone, for users to see. The list is empty when all files are there. */
  readonly noteGone: (gone: readonly ScannedFile[]) => Promise<void>
  readonly retention: Retention
  /** Younger files that the table does not name may belong to a commit that is under way. */
  readonly orphanAgeMs: number
}

/** The ledger, as maintenance uses it. */
export type MaintainedLedger = TableLedger & { pathsInUse(): Promise<Set<string>> }

/** With `orphans`, all files are searched as well, which takes long. */
export type MaintenanceRequest = { readonly orphans?: boolean }

/** Result of a run. */
export type MaintenanceSummary = {
  mergedManifests: number
  expiredSnapshots: number
  removedOrphans: number
  /** Number of data files that the table names and the store does not have; the ledger lists them. */
  goneFiles: number
  /** The committer held its lock all the time, so the next run does the work. */
  busy: boolean
}

/** Keeps the metadata of the archive table small, and removes files at its place that nothing refers to. */
export function makeMaintainArchive(options: MaintainArchiveOptions) {
  return async ({ orphans = false }: MaintenanceRequest): Promise<MaintenanceSummary> => {
    const summary = { mergedManifests: 0, expiredSnapshots: 0, removedOrphans: 0, goneFiles: 0, busy: false }
    const turn = await options.inTurn(async (ledger) => {
      const loaded = await options.loadTable(ledger)
      if (loaded === undefined) return undefined
      const merged = await mergeSmallManifests(options, loaded)
      summary.mergedManifests = merged.manifests
      summary.expiredSnapshots = await expireSnapshots(options, merged.metadata, options.retention)
      return ledger.pathsInUse()
    })
    if (turn === 'busy') summary.busy = true
    else if (orphans && turn !== undefined) Object.assign(summary, await sweep(options, turn))
    return summary
  }
}

/**
 * Works without the committer's lock, because it takes long. Files that are committed in the meantime are too young to
 * be removed. A file that the ledger no longer names is named by the table, which is loaded after the ledger was read.
 */
async function sweep(
  { store, loadTable, noteGone, orphanAgeMs, now }: MaintainArchiveOptions,
  inLedger: ReadonlySet<string>,
): Promise<Pick<MaintenanceSummary, 'removedOrphans' | 'goneFiles'>> {
  const loaded = await loadTable()
  if (loaded === undefined) return { removedOrphans: 0, goneFiles: 0 }
  const { removed, gone } = await removeOrphans(store, loaded, inLedger, now() - orphanAgeMs)
  await noteGone(gone)
  return { removedOrphans: removed, goneFiles: gone.length }
}
