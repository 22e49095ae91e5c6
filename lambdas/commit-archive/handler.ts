// Invoked each minute, and by archive-changes when enough data files wait; commits them to the Iceberg table. Invoked
// by hand with {"recover": …}, it recovers the archive.

import { setTimeout } from 'node:timers/promises'
import type { Context } from 'aws-lambda'
import { databaseSecret } from '#adapters/aws/secrets.ts'
import { archiveCatalog, archiveTableName, openArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import { makeObjectStore } from '#adapters/object-store/object-store.ts'
import { asCommitter, asRecoverer } from '#adapters/postgres/archive/archive-ledger.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { archivePlace, commitRule } from '../archive-environment.ts'
import { type CommitRequest, makeCommitArchive } from './commit-archive.ts'
import { readEnvironment } from './environment.ts'
import { type RecoveryReport, recoverArchive } from './recovery/recover-archive.ts'

const environment = readEnvironment(process.env)
const credentials = databaseSecret(environment.TARGET_SECRET_ARN)
const pool = makePool({ credentials, tls: environment.DATABASE_TLS, applicationName: 'tidemark commit', max: 1 })
const place = archivePlace(environment)
const catalog = archiveCatalog(place, process.env)
const store = makeObjectStore()
const commitArchive = makeCommitArchive({
  ...{ catalog, table: archiveTableName(place), store, now: Date.now, pause: setTimeout },
  asCommitter: (work) => asCommitter(pool, work),
  // S3 Tables removes unreferenced files itself, and refuses removals by others.
  removeSpent: environment.ARCHIVE_MAINTAINED_BY === 'function' ? store.remove : async () => undefined,
  openTable: (ledger) => openArchiveTable(catalog, place, ledger, { isOnlyCommitter: true }),
  commit: commitRule(environment),
  print: (line) => process.stdout.write(`${line}\n`),
})

/** Time that is reserved to finish a commit that has begun. */
const LAST_COMMIT_MS = 60_000

/** What the function is asked to do: to commit, or to recover the archive; see docs/recovery.md. */
type Request = CommitRequest | { readonly recover: RecoverRequest }

/** Without `yes`, the answer says what would be done, and nothing is done. */
type RecoverRequest = { readonly yes?: boolean }

export const handler = (request: Request, context: Pick<Context, 'getRemainingTimeInMillis'>) =>
  'recover' in request
    ? recover(request.recover, context.getRemainingTimeInMillis() - LAST_COMMIT_MS)
    : commitArchive(request, Date.now() + context.getRemainingTimeInMillis() - LAST_COMMIT_MS)

async function recover({ yes = false }: RecoverRequest, withinMs: number): Promise<RecoveryReport> {
  const late = new Error(
    'the recovery did not end within the time limit of the function: run npm run archive -- recover, which has no time limit',
  )
  const stop = new AbortController()
  const timer = global.setTimeout(() => stop.abort(late), withinMs)
  const print = (line: string) => process.stdout.write(`${line}\n`)
  const work = { catalog, place, store, now: Date.now, pause: setTimeout, onProgress: print, signal: stop.signal }
  const report = await asRecoverer<DataFileMetrics, RecoveryReport>(
    pool,
    (ledger) => recoverArchive({ ...work, ledger }, async () => yes),
    // A turn of maintenance may take longer than this wait. Then the call fails, and can be repeated.
    withinMs / 2,
  ).finally(() => clearTimeout(timer))
  if (report === 'busy')
    throw new Error('maintenance of the archive is under way: call the function again in a few minutes')
  return report
}
