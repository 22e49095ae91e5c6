import type { ScannedFile } from '#adapters/iceberg/archive/archive-scan.ts'
import type { TableLedger } from '#adapters/iceberg/archive/known-table.ts'
import type { LoadedTable } from '#adapters/iceberg/catalog/rest-catalog.ts'
import type { CommitTools } from '#adapters/iceberg/catalog/settled-commit.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import { expireSnapshots, type Retention } from './expire-snapshots.ts'
import { mergeSmallManifests } from './merge-small-manifests.ts'
import { removeOrphans } from './remove-orphans.ts'

/** What the function works with. */
export type MaintainArchiveOptions = Omit<CommitTools, 'store'> & {
  readonly store: ObjectStore
  /** Runs work in turn with the committer; `busy` when its turn does not come. */
  readonly inTurn: <T>(work: (ledger: MaintainedLedger) => Promise<T>) => Promise<T | 'busy'>
  /**
   * Undefined while nothing was archived. Throws where the table is not the one that the ledger belongs to: to maintain
   * another one, perhaps at the same place, would remove the files of the archive. Without `ledger` it is out of turn.
   */
  readonly loadTable: (ledger?: TableLedger) => Promise<LoadedTable | undefined>
  /** Keeps which data files are gone where people see it; called with none when all are there. */
  readonly noteGone: (gone: readonly ScannedFile[]) => Promise<void>
  readonly retention: Retention
  /** Younger files without a name in the table may be those of a commit under way. */
  readonly orphanAgeMs: number
}

/** The ledger, as maintenance uses it. */
export type MaintainedLedger = TableLedger & { pathsInUse(): Promise<Set<string>> }

/** What is to be done: `orphans` looks through all files, which takes long. */
export type MaintenanceRequest = { readonly orphans?: boolean }

/** What a run came to. */
export type MaintenanceSummary = {
  mergedManifests: number
  expiredSnapshots: number
  removedOrphans: number
  /** Data files that the table names and the store does not have; the ledger keeps which. */
  goneFiles: number
  /** The committer was at it all the time: the next run does what this one did not. */
  busy: boolean
}

/** Keeps the metadata of the archive table small and its place free of files that nobody names. */
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
 * Out of turn, since it takes long: what is committed meanwhile is too young to be looked at. What the ledger no longer
 * names, the table that is loaded after it does.
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
