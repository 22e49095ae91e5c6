import { setTimeout as pause } from 'node:timers/promises'
import { S3Client } from '@aws-sdk/client-s3'
import type { MSKEvent } from 'aws-lambda'
import type pg from 'pg'
import {
  type ArchivePlace,
  archiveTableName,
  findArchiveTable,
  openArchiveTable,
} from '#adapters/iceberg/archive/archive-catalog.ts'
import { noteGoneFiles } from '#adapters/iceberg/archive/archive-survey.ts'
import { type LoadedTable, makeRestCatalog } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { makeRequestSigner } from '#adapters/iceberg/catalog/sign-requests.ts'
import { makeObjectStore, type ObjectStore } from '#adapters/object-store/object-store.ts'
import { asCommitter } from '#adapters/postgres/archive/archive-ledger.ts'
import { makeArchiveProgress } from '#adapters/postgres/archive/archive-progress.ts'
import { makeTableLedger } from '#adapters/postgres/archive/archive-table-ledger.ts'
import { type CommitSummary, makeCommitArchive } from '#lambdas/commit-archive/commit-archive.ts'
import type { Retention } from '#lambdas/maintain-archive/expire-snapshots.ts'
import { type MaintenanceSummary, makeMaintainArchive } from '#lambdas/maintain-archive/maintain-archive.ts'
import { makeEventDelivery } from '#test-support/archive/archive-run.ts'

/** Servers in place of S3 and S3 Tables, and the credentials for them. */
export type ArchiveServices = {
  readonly s3Endpoint: string
  /** The catalog's URL without `/v1`. */
  readonly catalogEndpoint: string
  /** ARN of the table bucket. */
  readonly warehouse: string
  /** Namespace of the archive table; `archiveNamespace` if absent. */
  readonly namespace?: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** The catalog's bearer token, if it accepts one. */
  readonly token?: string
}

/** The archive's functions. Everything in them is real except their handlers, which read variables. */
export type ArchiveFunctions = {
  readonly store: ObjectStore
  archive(event: MSKEvent): Promise<void>
  /** Commits all archived files that wait. */
  commit(): Promise<CommitSummary>
  /** Merges and expires. With `orphanAgeMs` it also removes orphans that are older. */
  maintain(retention: Retention, orphanAgeMs?: number): Promise<MaintenanceSummary>
  /** The table from the catalog, which is created if it does not exist. */
  openTable(): Promise<LoadedTable>
}

/** Namespace of the archive table to which the functions write. */
export const archiveNamespace = 'tidemark_local'

const REGION = 'us-east-1'
const HOUR_MS = 3_600_000

/** Makes the functions with HTTP, signed requests to the catalog, and the ledger in a migrated target. */
export function makeArchiveFunctions(services: ArchiveServices, pool: pg.Pool): ArchiveFunctions {
  const { s3Endpoint, catalogEndpoint, warehouse, namespace = archiveNamespace, credentials } = services
  const place: ArchivePlace = { catalog: 's3tables', warehouse, namespace, location: '' }
  const table = archiveTableName(place)
  const client = { endpoint: s3Endpoint, region: REGION, credentials: { ...credentials }, forcePathStyle: true }
  const store = makeObjectStore(new S3Client(client))
  const sign = makeRequestSigner({ service: 's3tables', region: REGION, credentials })
  const catalog = makeRestCatalog({ endpoint: catalogEndpoint, warehouse, sign })
  const tools = { catalog, table, store, now: Date.now, pause }
  const openTable = () => openArchiveTable(catalog, place, makeTableLedger(pool))
  let location: Promise<string> | undefined
  const commit = makeCommitArchive({
    ...tools,
    ...{ openTable, removeSpent: store.remove, commit: { afterMs: 0, afterBytes: 0 }, print: () => undefined },
    asCommitter: (work) => asCommitter(pool, work),
  })
  const maintain = (retention: Retention, orphanAgeMs = 0) =>
    makeMaintainArchive({
      ...tools,
      ...{
        retention,
        orphanAgeMs,
        loadTable: (ledger = makeTableLedger(pool)) => findArchiveTable(catalog, place, ledger),
        noteGone: (gone) => noteGoneFiles(makeTableLedger(pool), gone),
      },
      inTurn: (work) => asCommitter(pool, work),
    })
  return {
    store,
    openTable,
    archive: makeEventDelivery({
      topics: new Map([
        ['changes', 'contiguous'],
        ['user-events', 'sparse'],
      ]),
      progress: makeArchiveProgress(pool),
      store,
      location: () => {
        location ??= openTable().then(({ metadata }) => metadata.location)
        return location
      },
      requestCommit: async () => undefined,
      commit: { afterMs: HOUR_MS, afterBytes: Number.POSITIVE_INFINITY },
      now: Date.now,
    }),
    commit: () => commit({}, Date.now() + HOUR_MS),
    maintain: (retention, orphanAgeMs) => maintain(retention, orphanAgeMs)({ orphans: orphanAgeMs !== undefined }),
  }
}
