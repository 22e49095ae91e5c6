import { setTimeout } from 'node:timers/promises'
import type { Context } from 'aws-lambda'
import { databaseSecret } from '#adapters/aws/secrets.ts'
import { archiveCatalog, archiveTableName, openArchiveTable } from '#adapters/iceberg/archive-catalog.ts'
import { makeObjectStore } from '#adapters/object-store/object-store.ts'
import { asCommitter } from '#adapters/postgres/archive-ledger.ts'
import { makePool } from '#adapters/postgres/connect.ts'
import { archivePlace, commitRule } from '../archive-environment.ts'
import { type CommitRequest, makeCommitArchive } from './commit-archive.ts'
import { readEnvironment } from './environment.ts'

const environment = readEnvironment(process.env)
const credentials = databaseSecret(environment.TARGET_SECRET_ARN)
const pool = makePool({ credentials, tls: environment.DATABASE_TLS, applicationName: 'tidemark commit', max: 1 })
const place = archivePlace(environment)
const catalog = archiveCatalog(place, process.env)
const store = makeObjectStore()
const commitArchive = makeCommitArchive({
  ...{ catalog, table: archiveTableName(place), store, now: Date.now, pause: setTimeout },
  asCommitter: (work) => asCommitter(pool, work),
  // S3 Tables removes what is not referenced, and refuses everybody else who would.
  removeSpent: environment.ARCHIVE_MAINTAINED_BY === 'function' ? store.remove : async () => undefined,
  openTable: (ledger) => openArchiveTable(catalog, place, ledger, { isOnlyCommitter: true }),
  commit: commitRule(environment),
  print: (line) => process.stdout.write(`${line}\n`),
})

/** Time that is kept to end a commit that has begun. */
const LAST_COMMIT_MS = 60_000

export const handler = (request: CommitRequest, context: Pick<Context, 'getRemainingTimeInMillis'>) =>
  commitArchive(request, Date.now() + context.getRemainingTimeInMillis() - LAST_COMMIT_MS)
