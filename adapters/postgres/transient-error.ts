/** SQLSTATEs after which the same work may succeed: serialization, deadlock, shutdown, connection, too many connections. */
const transientStates = /^(40001|40P01|55P03|57P01|57P02|57P03|08...|53300)$/
const brokenSocket = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT'])

/** The SQLSTATE of a server's error, or undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (error as object) ? code : undefined
}

/** Whether trying the same transaction again may succeed. */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) return transientStates.test(state)
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  return brokenSocket.has(code) || /Connection terminated|timeout expired when trying to connect/.test(error.message)
}
