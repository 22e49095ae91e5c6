import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { ADVISORY_LOCKS } from '../session/advisory-locks.ts'
import { type ArchiveRecoveryLedger, makeRecoveryLedger } from './archive-recovery-ledger.ts'
import { type ArchiveTableLedger, makeTableLedger } from './archive-table-ledger.ts'
import { readUncommittedAge, readWaiting, type Waiting } from './archive-waiting.ts'
import type { LedgerFile } from './ledger-file.ts'
import { type FileLimits, filesWaiting, finish, type PreparedCommit, prepare, readPrepared } from './prepared-commit.ts'

/** The lock that lets committers and maintenance of one archive run one after the other. */
const COMMITTER_LOCK = ADVISORY_LOCKS.archiveCommit

/** The ledger with the operations that a committer needs. */
export type ArchiveLedger<Metrics> = ArchiveTableLedger & {
  waiting(): Promise<Waiting>
  /**
   * The commit age in ms: how long the oldest record has been in no commit, also if it is not archived yet. Null if
   * there is none.
   */
  uncommittedAgeMs(): Promise<number | null>
  /** The commit that was prepared and is not noted as made, if any. */
  prepared(): Promise<PreparedCommit<Metrics> | undefined>
  /** The files of the oldest waiting ranges, within the limits, but at least of one range. Empty if none waits. */
  filesWaiting(limits: FileLimits): Promise<LedgerFile<Metrics>[]>
  /**
   * Prepares the commit of the waiting files `taken`. It consists of `files`, which are the same or the ones into which
   * those were joined.
   */
  prepare(
    taken: readonly LedgerFile<Metrics>[],
    snapshotId: bigint,
    files: readonly LedgerFile<Metrics>[],
  ): Promise<PreparedCommit<Metrics>>
  /** Notes that the commit was made. Returns the paths of files that are no longer needed. */
  finish(commit: PreparedCommit<Metrics>): Promise<string[]>
  /** The paths of all files that wait or belong to a commit that is not made yet. They are not orphans. */
  pathsInUse(): Promise<Set<string>>
}

/**
 * Runs `work` as the only committer of the archive. Returns `busy` if another one holds the lock for longer than
 * `patienceMs`. If the connection is lost, another committer may begin; then the catalog refuses the commit of one of
 * them.
 */
export const asCommitter = <Metrics, T>(
  pool: pg.Pool,
  work: (ledger: ArchiveLedger<Metrics>) => Promise<T>,
  patienceMs = 0,
): Promise<T | 'busy'> => inTurn(pool, patienceMs, (client) => work(makeLedger<Metrics>(client)))

/** The ledger with the operations of recovery, which also makes commits. */
export type RecovererLedger<Metrics> = ArchiveLedger<Metrics> & ArchiveRecoveryLedger<Metrics>

/** The same lock, for recovery, which makes table and ledger agree again. */
export const asRecoverer = <Metrics, T>(
  pool: pg.Pool,
  work: (ledger: RecovererLedger<Metrics>) => Promise<T>,
  patienceMs: number,
): Promise<T | 'busy'> =>
  inTurn(pool, patienceMs, (client) => work({ ...makeLedger<Metrics>(client), ...makeRecoveryLedger<Metrics>(client) }))

async function inTurn<T>(
  pool: pg.Pool,
  patienceMs: number,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T | 'busy'> {
  const client = await pool.connect()
  let broken = true
  try {
    const locked = await takeTurn(client, patienceMs)
    const result = locked ? await work(client) : 'busy'
    if (locked) await client.query('select pg_advisory_unlock($1)', [COMMITTER_LOCK])
    broken = false
    return result
  } finally {
    // A connection that may still hold the lock is closed, which releases the lock.
    client.release(broken)
  }
}

/** The lock is polled: a session that waited for it in the server could get it after the caller has given up. */
async function takeTurn(client: pg.PoolClient, patienceMs: number): Promise<boolean> {
  for (const deadline = performance.now() + patienceMs; ; await pause(LOOK_AGAIN_MS)) {
    const { rows } = await client.query('select pg_try_advisory_lock($1) as locked', [COMMITTER_LOCK])
    if (rows[0].locked || performance.now() >= deadline) return rows[0].locked
  }
}

const LOOK_AGAIN_MS = 200

function makeLedger<Metrics>(client: pg.PoolClient): ArchiveLedger<Metrics> {
  return {
    ...makeTableLedger(client),
    waiting: () => readWaiting(client),
    uncommittedAgeMs: () => readUncommittedAge(client),
    prepared: () => readPrepared(client),
    filesWaiting: (limits) => filesWaiting(client, limits),
    prepare: (taken, snapshotId, files) => prepare(client, taken, snapshotId, files),
    finish: (commit) => finish(client, commit),
    async pathsInUse() {
      const { rows } = await client.query<{ path: string }>('select path from tidemark.archive_file')
      return new Set(rows.map(({ path }) => path))
    },
  }
}
