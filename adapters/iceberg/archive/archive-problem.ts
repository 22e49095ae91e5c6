/**
 * `table`: nothing is archived or committed until it is resolved. `waiting files`: nothing is committed. `data files`:
 * archiving goes on, and readers miss rows that the table had. `renewal`: the archive begins again with a new table,
 * and nothing is archived until that is done.
 */
export type ArchiveProblemKind = 'table' | 'waiting files' | 'data files' | 'renewal'

/** A problem of the archive that it cannot resolve by itself. */
export type ArchiveProblem = {
  readonly kind: ArchiveProblemKind
  /** What happened to what, as a sentence without its full stop. */
  readonly reason: string
  /** The command that shows more about the problem and resolves it. */
  readonly command: string
}

/** The command that examines every problem of the archive, shows what it will do, and asks before it does so. */
export const RECOVER_COMMAND = 'npm run archive -- recover'

/**
 * The archive waits until a person decides. Until then nothing is created or committed and no progress is written, so
 * that the records are delivered again.
 */
export class ArchiveProblemError extends Error {
  override readonly name = 'ArchiveProblemError'
  readonly problem: ArchiveProblem

  constructor(problem: ArchiveProblem) {
    super(`${problem.reason}. Nothing is archived until it is resolved: ${problem.command}`)
    this.problem = problem
  }
}
