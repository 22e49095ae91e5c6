// Invoked every ten minutes and each day, where S3 Tables does not maintain the table itself; merges manifests, expires
// table snapshots and removes orphaned files.

import { setTimeout } from 'node:timers/promises'
import { databaseSecret } from '#adapters/aws/secrets.ts'
import { archiveCatalog, archiveTableName, findArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import { noteGoneFiles } from '#adapters/iceberg/archive/archive-survey.ts'
import { makeObjectStore } from '#adapters/object-store/object-store.ts'
import { asCommitter } from '#adapters/postgres/archive/archive-ledger.ts'
import { makeTableLedger } from '#adapters/postgres/archive/archive-table-ledger.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { archivePlace } from '../archive-environment.ts'
import { readEnvironment } from './environment.ts'
import { makeMaintainArchive } from './maintain-archive.ts'

const environment = readEnvironment(process.env)
const credentials = databaseSecret(environment.TARGET_SECRET_ARN)
const pool = makePool({ credentials, tls: environment.DATABASE_TLS, applicationName: 'tidemark maintain', max: 1 })
const place = archivePlace(environment)
const catalog = archiveCatalog(place, process.env)
const table = archiveTableName(place)

/** The committer holds its lock for a minute at most. */
const PATIENCE_MS = 120_000
const HOUR_MS = 3_600_000

export const handler = makeMaintainArchive({
  ...{ catalog, table, store: makeObjectStore(), now: Date.now, pause: setTimeout },
  inTurn: (work) => asCommitter(pool, work, PATIENCE_MS),
  loadTable: (ledger = makeTableLedger(pool)) => findArchiveTable(catalog, place, ledger),
  noteGone: (gone) => noteGoneFiles(makeTableLedger(pool), gone),
  retention: { ms: HOUR_MS, least: 100, most: 500 },
  orphanAgeMs: 7 * 24 * HOUR_MS,
})
