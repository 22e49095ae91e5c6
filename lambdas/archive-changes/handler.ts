// Invoked by an event source mapping for each of the topics changes and user-events; writes their records to data files
// of the archive, which commit-archive commits.

import { invokeLater } from '#adapters/aws/invoke-later.ts'
import { databaseSecret } from '#adapters/aws/secrets.ts'
import { archiveCatalog, openArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import { makeObjectStore } from '#adapters/object-store/object-store.ts'
import { makeArchiveProgress } from '#adapters/postgres/archive/archive-progress.ts'
import { makeTableLedger } from '#adapters/postgres/archive/archive-table-ledger.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { archivePlace, commitRule } from '../archive-environment.ts'
import { makeArchiveChanges } from './archive-changes.ts'
import { readEnvironment } from './environment.ts'
import { makeTableLocation } from './table-location.ts'

const environment = readEnvironment(process.env)
const credentials = databaseSecret(environment.TARGET_SECRET_ARN)
const pool = makePool({ credentials, tls: environment.DATABASE_TLS, applicationName: 'tidemark archive', max: 4 })
const place = archivePlace(environment)
const catalog = archiveCatalog(place, process.env)
const requestCommit = invokeLater(environment.COMMIT_ARCHIVE_FUNCTION)
const ledger = makeTableLedger(pool)

export const handler = makeArchiveChanges({
  topics: new Map([
    [environment.CHANGES_TOPIC, 'contiguous'],
    [environment.USER_EVENTS_TOPIC, 'sparse'],
  ]),
  progress: makeArchiveProgress(pool),
  store: makeObjectStore(),
  location: makeTableLocation(ledger, () => openArchiveTable(catalog, place, ledger)),
  requestCommit: () => requestCommit({ wait: true }),
  commit: commitRule(environment),
  now: Date.now,
  print: (line) => process.stdout.write(`${line}\n`),
})
