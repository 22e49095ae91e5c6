import type { Report } from './definition-problem.ts'
import { is, isBalanced, writeTokens } from './sql-phrases.ts'
import type { SqlToken } from './sql-tokens.ts'

/**
 * Reads the query after the line `-- view`, which is at `at`. It is any query of one statement that reads `windows`; the
 * rest of its SQL is checked by Postgres. Undefined when it was reported.
 */
export function readView(text: string, all: readonly SqlToken[], at: number, report: Report): string | undefined {
  const semicolon = all.findIndex(is('sign', ';'))
  const tokens = semicolon === -1 ? all : all.slice(0, semicolon)
  const extra = semicolon === -1 ? undefined : all[semicolon + 1]
  const first = tokens[0]
  const reason =
    first === undefined
      ? 'after -- view comes a SELECT from windows'
      : !is('word', 'select')(first) && !is('word', 'with')(first)
        ? 'the query after -- view begins with SELECT or WITH'
        : extra !== undefined
          ? 'after -- view comes one query'
          : !tokens.some(is('word', 'windows'))
            ? 'the query after -- view does not read windows, which stands for the groups'
            : undefined
  if (reason !== undefined) {
    report({ at: extra?.from ?? first?.from ?? at, reason })
    return undefined
  }
  return isBalanced(tokens, report) ? writeTokens(text, tokens) : undefined
}
