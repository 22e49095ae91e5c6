import type { MakeStatements } from './statement.ts'

const inside =
  (...statements: string[]): MakeStatements =>
  ({ inTransaction }) =>
    inTransaction ? statements : []

/** The steps that begin and end transactions. */
export const transactionStatements = {
  begin: ({ inTransaction }) => (inTransaction ? [] : ['begin']),
  commit: inside('commit'),
  rollback: inside('rollback'),
  savepoint: inside('savepoint s'),
  rollbackToSavepoint: inside('rollback to savepoint s'),
} satisfies Record<string, MakeStatements>
