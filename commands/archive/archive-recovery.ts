import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import { asRecoverer } from '#adapters/postgres/archive/archive-ledger.ts'
import { urlConfiguration } from '#adapters/postgres/session/client-of-url.ts'
import {
  type ArchiveCheck,
  checkArchive,
  type RecoveryReport,
  recoverArchive,
} from '#lambdas/commit-archive/recovery/recover-archive.ts'
import type { RecoveryStep } from '#lambdas/commit-archive/recovery/recovery-plan.ts'
import type { RecoveryTools } from '#lambdas/commit-archive/recovery/recovery-tools.ts'
import type { RecoverableArchive } from '#verify/archive/archive-access.ts'

/** The options of a recovery and of a check, besides the archive. */
export type RecoveryRun = { readonly onProgress: (what: string) => void; readonly signal?: AbortSignal | undefined }

/** It is longer than a turn of the committer, which takes a minute, and longer than one of maintenance. */
const PATIENCE_MS = 180_000

/**
 * Recovers the archive; see `recoverArchive`. Throws an Error if the committer or maintenance does not release the lock
 * in time.
 */
export const recoverFound = (
  archive: RecoverableArchive,
  run: RecoveryRun,
  agree: (step: RecoveryStep) => Promise<boolean>,
): Promise<RecoveryReport> => inTurn(archive, run, (tools) => recoverArchive(tools, agree))

/** Checks the archive; see `checkArchive`. Null if nothing was archived yet. */
export const checkFound = (archive: RecoverableArchive, run: RecoveryRun): Promise<ArchiveCheck | null> =>
  inTurn(archive, run, checkArchive)

async function inTurn<T>(
  { target, catalog, store, place }: RecoverableArchive,
  run: RecoveryRun,
  work: (tools: RecoveryTools) => Promise<T>,
): Promise<T> {
  const pool = new pg.Pool({ ...urlConfiguration(target, 'tidemark archive recovery'), max: 1 })
  pool.on('error', () => undefined)
  try {
    run.onProgress('waiting for the committer to end its turn')
    const result = await asRecoverer<DataFileMetrics, T>(
      pool,
      async (ledger) => {
        const { table } = await ledger.readKnownTable()
        // Glue needs the location of a table: a new one gets the location of the former one.
        const location = place.catalog === 'glue' ? (table?.location ?? '') : place.location
        return work({ ...run, ledger, catalog, store, place: { ...place, location }, now: Date.now, pause })
      },
      PATIENCE_MS,
    )
    if (result === 'busy')
      throw new Error('the archive was busy with commits or maintenance during the whole wait: try again')
    return result
  } finally {
    await pool.end()
  }
}
