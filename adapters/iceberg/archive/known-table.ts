import type { TableMetadata } from '../table/table-metadata.ts'
import { type ArchiveProblem, ArchiveProblemError, RECOVER_COMMAND } from './archive-problem.ts'
import { archiveMarks } from './archive-table.ts'

/** The identity of the archive table, which does not change when the table is renamed. */
export type TableIdentity = {
  /** `namespace.table`, under which the functions look for it. */
  readonly name: string
  readonly uuid: string
  /** URL of the table's location; null if it was noted by an earlier version, which did not store it. */
  readonly location: string | null
}

/** A commit in the ledger. `made` is true when it is known to be in the table. */
export type LedgerCommit = { readonly number: number; readonly snapshotId: bigint; readonly made: boolean }

/** The archive begins again with a new table, because a topic was created again under the same name. */
export type Renewal = {
  /** The name, in the same namespace, that the former table gets. */
  readonly formerName: string
  /** If true, the ledger already is that of the new table, and only the consumer groups still have to be set back. */
  readonly isLedgerNew: boolean
}

/** What the ledger says about its archive table. */
export type KnownTable = {
  /** Undefined if there has never been a table. */
  readonly table: TableIdentity | undefined
  /** The newest commits, the newest first, back to the last one that was made. */
  readonly commits: readonly LedgerCommit[]
  /** The reason of the problem of kind `table`, while it is not resolved. */
  readonly problem: string | undefined
  /** The renewal that is not finished yet. Nothing is archived until it is. */
  readonly renewal: Renewal | undefined
  /** A text that changes when the target is restarted or restored: its ledger may then be an older one. */
  readonly database: string
}

/** The operations of the ledger that decide which table is the archive's. */
export type TableLedger = {
  readKnownTable(): Promise<KnownTable>
  /** Notes the table that the ledger belongs to from now on. If it already belongs to one, nothing changes. */
  bindTable(table: TableIdentity): Promise<void>
  /** Stores the problem in the target, where `npm run status` and other tools show it. */
  noteProblem(problem: ArchiveProblem): Promise<void>
  clearProblem(kind: ArchiveProblem['kind']): Promise<void>
}

/** The newest number that the ledger has given to a commit, whether the commit was made or not. */
export const newestNumber = ({ commits }: Pick<KnownTable, 'commits'>): number => commits[0]?.number ?? 0

/** The number of commits according to the table. */
export const commitsOf = ({ properties }: Pick<TableMetadata, 'properties'>): number =>
  Number(properties[archiveMarks.number] ?? 0)

/**
 * How the commits of a table and of its ledger contradict each other; undefined if they do not. The ledger must be read
 * after the table. Only the holder of the committer's lock can find that the table has too few commits: for others, the
 * table may have been loaded before the commits that the ledger already has.
 */
export function findDisagreement(
  name: string,
  metadata: Pick<TableMetadata, 'properties'>,
  { commits }: Pick<KnownTable, 'commits'>,
  isOnlyCommitter: boolean,
): ArchiveProblem | undefined {
  const inTable = commitsOf(metadata)
  const newest = newestNumber({ commits })
  const disagreement = (why: string): ArchiveProblem => ({
    kind: 'table',
    reason: `the archive table ${name} has ${inTable} commits, the ledger in the target has ${newest}: ${why}`,
    command: RECOVER_COMMAND,
  })
  if (inTable > newest) {
    return disagreement('the target was restored from an older backup, or another pipeline writes to the table')
  }
  const same = commits.find(({ number }) => number === inTable)
  if (same !== undefined && String(same.snapshotId) !== metadata.properties[archiveMarks.snapshot]) {
    return disagreement(
      `commit ${inTable} is not the same one in both: another pipeline writes to the table, or has written to it`,
    )
  }
  const made = commits.find((commit) => commit.made)?.number ?? 0
  if (isOnlyCommitter && inTable < made) return disagreement('the table was restored to an earlier state')
  return undefined
}

/** Throws an ArchiveProblemError if a table is not the one that the ledger belongs to. */
export function checkIdentity(name: string, uuid: string | undefined, known: KnownTable): void {
  const refuse = (reason: string, command = RECOVER_COMMAND): never => {
    throw new ArchiveProblemError({ kind: 'table', reason, command })
  }
  const { table } = known
  if (table !== undefined && table.name !== name) {
    refuse(
      `the ledger in the target belongs to the archive table ${table.name}, and the functions look for ${name}`,
      `deploy with the namespace of ${table.name}`,
    )
  }
  if (uuid === undefined && (table !== undefined || known.commits.length > 0)) {
    refuse(
      `the archive table ${name} is not in the catalog: somebody renamed or dropped it${table === undefined ? '' : ` (its uuid is ${table.uuid})`}`,
    )
  }
  if (uuid !== undefined && table !== undefined && table.uuid !== uuid) {
    refuse(
      `the table ${name} is another one than was archived to (its uuid is ${uuid}, that of the archive table is ${table.uuid}): somebody renamed or dropped the archive table, and another one has its name`,
    )
  }
}

/** The problem that is shown while the archive begins again with a new table. */
export const renewalProblem = ({ isLedgerNew }: Pick<Renewal, 'isLedgerNew'>): ArchiveProblem =>
  isLedgerNew
    ? {
        kind: 'renewal',
        reason:
          'the archive begins again with a new table, and its consumer groups are not at the beginning of their topics yet (a look at capture sets them back within a minute)',
        command: 'npm run recover',
      }
    : {
        kind: 'renewal',
        reason: 'the archive is about to begin again with a new table, which somebody may have interrupted',
        command: RECOVER_COMMAND,
      }

/**
 * Throws an ArchiveProblemError while the archive begins again with a new table, because records that were archived now
 * would not be in the new one.
 */
export function checkRenewal({ renewal }: Pick<KnownTable, 'renewal'>): void {
  if (renewal !== undefined) throw new ArchiveProblemError(renewalProblem(renewal))
}
