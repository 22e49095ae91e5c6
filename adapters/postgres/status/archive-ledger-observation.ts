import type pg from 'pg'
import type { ArchiveWaiting } from '#core/status/observations.ts'

/** The state of the ledger. `committedAt` changes with every commit; null before the first. */
export type ArchiveLedgerObservation = ArchiveWaiting & { readonly committedAt: string | null }

const readLedger = `
select coalesce(sum(waiting_records), 0)::float8 as "waitingRecords",
  (extract(epoch from clock_timestamp() - min(least(waiting_since, failing_since))) * 1000)::float8 as "oldestWaitingMs",
  (extract(epoch from clock_timestamp() - max(committed_at)) * 1000)::float8 as "committedMsAgo",
  max(committed_at)::text as "committedAt"
from tidemark.archive_status`

/** Observes the ledger of the archive as a role that may read. */
export async function observeArchiveLedger(target: pg.Pool): Promise<ArchiveLedgerObservation> {
  return (await target.query<ArchiveLedgerObservation>(readLedger)).rows[0]!
}
