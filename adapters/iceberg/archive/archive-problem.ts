/**
 * `table`: nothing is archived or committed meanwhile; `waiting files`: nothing is committed; `data files`: the table goes
 * on, and readers miss rows that it had; `renewal`: it begins again with a new table, and nothing is archived meanwhile.
 */
export type ArchiveProblemKind = 'table' | 'waiting files' | 'data files' | 'renewal'

/** Something that the archive does not get over by itself. */
export type ArchiveProblem = {
  readonly kind: ArchiveProblemKind
  /** What happened to what, as a sentence without its full stop. */
  readonly reason: string
  /** What finds out more and resolves it. */
  readonly command: string
}

/** What looks into every problem of the archive, says what it will do, and asks first. */
export const RECOVER_COMMAND = 'npm run archive -- recover'

/** The archive waits for a person to decide. Nothing is made, committed or advanced meanwhile; records are delivered again. */
export class ArchiveProblemError extends Error {
  override readonly name = 'ArchiveProblemError'
  readonly problem: ArchiveProblem

  constructor(problem: ArchiveProblem) {
    super(`${problem.reason}. Nothing is archived until it is resolved: ${problem.command}`)
    this.problem = problem
  }
}
