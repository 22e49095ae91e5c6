import type { TableMetadata } from '../table/table-metadata.ts'
import { type ArchiveProblem, ArchiveProblemError, RECOVER_COMMAND } from './archive-problem.ts'
import { archiveMarks } from './archive-table.ts'

/** The identity of the archive table, which a rename does not change. */
export type TableIdentity = {
  /** `namespace.table`, where the functions look for it. */
  readonly name: string
  readonly uuid: string
  /** URL of its place; null where an earlier version did not note it. */
  readonly location: string | null
}

/** A commit as the ledger has it; `made` once it is known to be in the table. */
export type LedgerCommit = { readonly number: number; readonly snapshotId: bigint; readonly made: boolean }

/** The archive begins again with a new table, since a topic is another one under its name. */
export type Renewal = {
  /** The name that the former table gets, in its namespace. */
  readonly formerName: string
  /** The ledger is that of the new table: what is left to do is to set the consumer groups back. */
  readonly isLedgerNew: boolean
}

/** What the ledger says of the table it belongs to. */
export type KnownTable = {
  /** Undefined while there never was one. */
  readonly table: TableIdentity | undefined
  /** The newest commits, the newest first; none is older than the last one that was made. */
  readonly commits: readonly LedgerCommit[]
  /** Of kind `table`, while it is not resolved. */
  readonly problem: string | undefined
  /** While it is under way: nothing is archived. */
  readonly renewal: Renewal | undefined
  /** Another text once the target was restarted or restored, so that its ledger may be an older one. */
  readonly database: string
}

/** The ledger, as far as it decides which table is the archive's. */
export type TableLedger = {
  readKnownTable(): Promise<KnownTable>
  /** Notes the table that the ledger belongs to from now on, unless it belongs to one already. */
  bindTable(table: TableIdentity): Promise<void>
  /** Keeps what is wrong where people and their tools see it. */
  noteProblem(problem: ArchiveProblem): Promise<void>
  clearProblem(kind: ArchiveProblem['kind']): Promise<void>
}

/** The newest number that the ledger has given to a commit, made or not. */
export const newestNumber = ({ commits }: Pick<KnownTable, 'commits'>): number => commits[0]?.number ?? 0

/** How many commits the table says it has. */
export const commitsOf = ({ properties }: Pick<TableMetadata, 'properties'>): number =>
  Number(properties[archiveMarks.number] ?? 0)

/**
 * How the commits of a table and those of its ledger contradict each other, undefined where they do not. The ledger has to
 * be read after the table. Only who holds the committer's lock can tell that the table has too few commits: they are made
 * one after the other, and the table as it was loaded may be older than the ledger as it was read.
 */
export function findDisagreement(
  name: string,
  metadata: Pick<TableMetadata, 'properties'>,
  { commits }: Pick<KnownTable, 'commits'>,
  isOnlyCommitter: boolean,
): ArchiveProblem | undefined {
  const inTable = commitsOf(metadata)
  const newest = newestNumber({ commits })
  const tell = (why: string): ArchiveProblem => ({
    kind: 'table',
    reason: `the archive table ${name} has ${inTable} commits, the ledger in the target has ${newest}: ${why}`,
    command: RECOVER_COMMAND,
  })
  if (inTable > newest) {
    return tell('the target was restored from an older backup, or another pipeline writes to the table')
  }
  const same = commits.find(({ number }) => number === inTable)
  if (same !== undefined && String(same.snapshotId) !== metadata.properties[archiveMarks.snapshot]) {
    return tell(
      `commit ${inTable} is not the same one in both: another pipeline writes to the table, or has written to it`,
    )
  }
  const made = commits.find((commit) => commit.made)?.number ?? 0
  if (isOnlyCommitter && inTable < made) return tell('the table was restored to an earlier state')
  return undefined
}

/** Throws an ArchiveProblemError where a table is not the one that the ledger belongs to. */
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

/** What people are told while the archive begins again with a new table. */
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

/** Throws an ArchiveProblemError while the archive begins again with a new table: records that came now would be lost to it. */
export function checkRenewal({ renewal }: Pick<KnownTable, 'renewal'>): void {
  if (renewal !== undefined) throw new ArchiveProblemError(renewalProblem(renewal))
}
