/** The message of an error, with the hint of Postgres behind it if there is one. */
export function messageWithHint(error: unknown): string {
  const { message, hint } = error as Error & { hint?: string }
  return hint === undefined ? message : `${message}. ${hint}`
}
