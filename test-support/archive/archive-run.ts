import { setTimeout as pause } from 'node:timers/promises'
import { S3Client } from '@aws-sdk/client-s3'
import type { MSKEvent, MSKRecord } from 'aws-lambda'
import type pg from 'pg'
import { type ArchivePlace, archiveTableName, openArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import { makeRestCatalog, type RestCatalog } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { makeRequestSigner } from '#adapters/iceberg/catalog/sign-requests.ts'
import { makeObjectStore, type ObjectStore } from '#adapters/object-store/object-store.ts'
import { asCommitter } from '#adapters/postgres/archive/archive-ledger.ts'
import { makeArchiveProgress } from '#adapters/postgres/archive/archive-progress.ts'
import { makeTableLedger } from '#adapters/postgres/archive/archive-table-ledger.ts'
import { type ArchiveChangesOptions, makeArchiveChanges } from '#lambdas/archive-changes/archive-changes.ts'
import { makeTableLocation } from '#lambdas/archive-changes/table-location.ts'
import { makeCommitArchive } from '#lambdas/commit-archive/commit-archive.ts'
import type { ArchiveServers } from '../archive-servers.ts'

/** The functions of the archive, wired as in production, on servers of a test. */
export type ArchiveRun = {
  readonly place: ArchivePlace
  readonly catalog: RestCatalog
  readonly store: ObjectStore
  /** Delivers records, of one or more topic partitions. */
  archive(records: readonly MSKRecord[]): Promise<void>
  /** Commits all archived files that wait. */
  commit(): ReturnType<ReturnType<typeof makeCommitArchive>>
  /** The metrics that the committer printed last. */
  metrics(): Record<string, unknown>
}

/** Wires the functions. `place` and `database` belong to the test. */
export function makeArchiveRun(servers: ArchiveServers, database: pg.Pool, place: ArchivePlace): ArchiveRun {
  const credentials = { ...servers.key }
  const client = new S3Client({ endpoint: servers.s3Endpoint, region: 'us-east-1', credentials, maxAttempts: 2 })
  const store = makeObjectStore(client)
  const catalog = makeRestCatalog({
    ...{ endpoint: servers.catalogEndpoint, timeoutMs: 5_000, retryAfterMs: [100, 300] },
    sign: makeRequestSigner({ service: 's3tables', region: 'us-east-1', credentials }),
  })
  const ledger = makeTableLedger(database)
  const archive = makeDelivery({
    topics: new Map([
      ['changes', 'contiguous'],
      ['user-events', 'sparse'],
    ]),
    progress: makeArchiveProgress(database),
    store,
    location: makeTableLocation(ledger, () => openArchiveTable(catalog, place, ledger)),
    requestCommit: async () => undefined,
    commit: { afterMs: 60_000, afterBytes: 1 << 30 },
    now: Date.now,
  })
  const lines: string[] = []
  const commit = makeCommitArchive({
    ...{ catalog, table: archiveTableName(place), store, now: Date.now, pause },
    asCommitter: (work) => asCommitter(database, work),
    removeSpent: store.remove,
    openTable: (ledger) => openArchiveTable(catalog, place, ledger, { isOnlyCommitter: true }),
    commit: { afterMs: 0, afterBytes: 0 },
    print: (line) => lines.push(line),
  })
  return {
    ...{ place, catalog, store },
    archive,
    commit: () => commit({}, Date.now() + 60_000),
    metrics: () => JSON.parse(lines.at(-1)!),
  }
}

/** Delivers an event to archive-changes. Throws an Error with its output when it reports any record as failed. */
export function makeEventDelivery(options: Omit<ArchiveChangesOptions, 'print'>): (event: MSKEvent) => Promise<void> {
  return async (event) => {
    const lines: string[] = []
    const { batchItemFailures } = await makeArchiveChanges({ ...options, print: (line) => lines.push(line) })(event)
    if (batchItemFailures.length > 0) throw new Error(lines.join('\n'))
  }
}

/** The same for records. */
export function makeDelivery(options: Omit<ArchiveChangesOptions, 'print'>) {
  const deliver = makeEventDelivery(options)
  return (records: readonly MSKRecord[]): Promise<void> => deliver(eventOf(records))
}

/** An event of records, in Lambda's form. */
export function eventOf(records: readonly MSKRecord[]): MSKEvent {
  const byPlace = Map.groupBy(records, ({ topic, partition }) => `${topic}-${partition}`)
  return { eventSource: 'aws:kafka', records: Object.fromEntries(byPlace) } as unknown as MSKEvent
}
