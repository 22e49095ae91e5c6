/** An argument that cannot be right, which is found before anything is waited for or read. Commands exit with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The exit code: 2 for a wrong argument, otherwise 1. */
export function exitCodeOf(error: unknown): 1 | 2 {
  const { code } = error as { code?: unknown }
  const isUnparsable = typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS')
  return isUnparsable || error instanceof UsageError ? 2 : 1
}
