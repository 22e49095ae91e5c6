import { ArchiveProblemError } from '#adapters/iceberg/archive/archive-problem.ts'
import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import type { TableLedger } from '#adapters/iceberg/archive/known-table.ts'
import type { CommitTools } from '#adapters/iceberg/catalog/commit-once.ts'
import type { LoadedTable } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { newSnapshotId } from '#adapters/iceberg/commit/commit.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import type { ArchiveLedger } from '#adapters/postgres/archive/archive-ledger.ts'
import { type Metric, metricsLine } from '../metrics-line.ts'
import { joinFiles } from './join-files.ts'
import { makeCommit } from './make-commit.ts'

type Ledger = ArchiveLedger<DataFileMetrics>

/** What the function works with. */
export type CommitArchiveOptions = Omit<CommitTools, 'store'> & {
  readonly store: Pick<ObjectStore, 'get' | 'put' | 'has'>
  /** Removes files whose rows are now in a joined file. */
  readonly removeSpent: (urls: readonly string[]) => Promise<void>
  /** Runs the work while it holds the committer's lock; gives `busy` when another run holds it. */
  readonly asCommitter: <T>(work: (ledger: Ledger) => Promise<T>) => Promise<T | 'busy'>
  /** Opens the archive table, and creates it if there never was one. Throws when it is not as the ledger says. */
  readonly openTable: (ledger: TableLedger) => Promise<LoadedTable>
  readonly commit: { readonly afterMs: number; readonly afterBytes: number }
  /** Writes a line of the log. */
  readonly print: (line: string) => void
}

/** What a commit needs. */
type Committing = Omit<CommitArchiveOptions, 'asCommitter' | 'print'>

/** With `wait`, the run waits until the waiting files are old or large enough; otherwise they are committed at once. */
export type CommitRequest = { readonly wait?: boolean }

/** Result of a run. */
export type CommitSummary = { commits: number; attempts: number; records: number; files: number; busy: boolean }

/** A commit has to fit the memory of the function, which holds its parts and the joined file at the same time. */
const LIMITS = { files: 500, bytes: 64 << 20 }

/**
 * A run ends after this time, so that others such as maintain-archive get the lock. The rest is due, so the next batch
 * or schedule invokes the function again.
 */
const LONGEST_TURN_MS = 60_000

/**
 * Commits the files that wait in the ledger to the archive table, until nothing waits, a minute is over or `latest` (ms
 * since 1970) has come. A commit that an earlier run left in doubt is resolved first. Only one run works at a time: a
 * second one returns at once with `busy`.
 */
export function makeCommitArchive(options: CommitArchiveOptions) {
  return async ({ wait = false }: CommitRequest, latest: number): Promise<CommitSummary> => {
    const deadline = Math.min(latest, options.now() + LONGEST_TURN_MS)
    const summary: CommitSummary = { commits: 0, attempts: 0, records: 0, files: 0, busy: false }
    let uncommittedMs: number | undefined
    try {
      const outcome = await options.asCommitter(async (ledger) => {
        await commitAll(options, ledger, wait, deadline, summary)
        uncommittedMs = (await ledger.uncommittedAgeMs()) ?? 0
      })
      summary.busy = outcome === 'busy'
    } finally {
      options.print(metricsLine('archive', options.now(), describeMetrics(summary, uncommittedMs)))
    }
    return summary
  }
}

/** Commits until nothing waits or `deadline` has come. The caller holds the committer's lock. */
export async function commitAll(
  options: Committing,
  ledger: Ledger,
  wait: boolean,
  deadline: number,
  summary: CommitSummary,
): Promise<void> {
  await lookAtTable(options, ledger)
  while (options.now() < deadline) {
    const inDoubt = await ledger.prepared()
    if (inDoubt === undefined && !(await isThereAny(options, ledger, wait, deadline))) return
    const loaded = await options.openTable(ledger)
    const commit = inDoubt ?? (await prepareNext(options, ledger, loaded.metadata.location))
    summary.attempts += await makeCommit(options, loaded, commit)
    await options.removeSpent(await ledger.finish(commit))
    summary.commits++
    summary.records += commit.records
    summary.files += commit.files.length
  }
}

/**
 * Opens the table even when nothing waits. A missing table stops archiving, so nothing would wait, and nothing would
 * notice that the table is there again.
 */
async function lookAtTable({ openTable }: Committing, ledger: Ledger): Promise<void> {
  const { table, commits } = await ledger.readKnownTable()
  if (table !== undefined || commits.length > 0) await openTable(ledger)
}

async function prepareNext({ store }: Committing, ledger: Ledger, location: string) {
  const waiting = await ledger.filesWaiting(LIMITS)
  try {
    const files = await joinFiles(store, location, waiting)
    await ledger.clearProblem('waiting files')
    return await ledger.prepare(waiting, newSnapshotId(), files)
  } catch (error) {
    if (error instanceof ArchiveProblemError) await ledger.noteProblem(error.problem)
    throw error
  }
}

/** Whether files wait to be committed. With `wait`, it waits until they are old or large enough. */
async function isThereAny(
  { commit, pause, now }: Committing,
  ledger: Ledger,
  wait: boolean,
  deadline: number,
): Promise<boolean> {
  for (;;) {
    const { files, bytes, oldestAgeMs } = await ledger.waiting()
    if (files === 0) return false
    const missingMs = commit.afterMs - (oldestAgeMs ?? 0)
    if (!wait || missingMs <= 0 || bytes >= commit.afterBytes) return true
    if (now() + missingMs >= deadline) return false
    await pause(Math.min(missingMs, LONGEST_LOOK_MS))
  }
}

/** Waiting files may become large enough before they are old enough, so they are looked at this often. */
const LONGEST_LOOK_MS = 1_000

function describeMetrics({ commits, records, attempts }: CommitSummary, uncommittedMs: number | undefined): Metric[] {
  const oldest = uncommittedMs && Math.round(uncommittedMs / 1000)
  return [
    { name: 'CommittedRecords', unit: 'Count', value: records },
    { name: 'ArchiveCommits', unit: 'Count', value: commits },
    { name: 'ArchiveCommitAttempts', unit: 'Count', value: attempts },
    { name: 'OldestUncommittedSeconds', unit: 'Seconds', value: oldest },
  ]
}
