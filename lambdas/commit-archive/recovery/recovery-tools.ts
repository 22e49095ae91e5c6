import type { ArchivePlace } from '#adapters/iceberg/archive/archive-catalog.ts'
import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import type { RestCatalog } from '#adapters/iceberg/catalog/rest-catalog.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import type { RecovererLedger } from '#adapters/postgres/archive/archive-ledger.ts'

/** What a recovery works with. The ledger is for the holder of the committer's lock. */
export type RecoveryTools = {
  readonly catalog: RestCatalog
  readonly place: ArchivePlace
  readonly store: ObjectStore
  readonly ledger: RecovererLedger<DataFileMetrics>
  readonly now: () => number
  readonly pause: (ms: number) => Promise<void>
  /** It is called with what is being looked at or done. */
  readonly onProgress: (what: string) => void
  readonly signal?: AbortSignal | undefined
}
