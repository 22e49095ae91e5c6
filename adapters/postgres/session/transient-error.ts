/**
 * SQLSTATEs after which the same work may succeed: serialization, deadlock, shutdown, connection, too many connections, and
 * timeouts that end a session, which say nothing about the table or record that it was working on.
 */
const transientStates = /^(40001|40P01|55P03|57P01|57P02|57P03|57P05|25P03|25P04|08...|53300)$/
const brokenSocket = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** How pg words that the connection ended before, during or between queries; it gives these no code. */
const brokenConnection =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|timeout exceeded when trying to connect)/

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
  return brokenSocket.has(code) || brokenConnection.test(error.message)
}

/** Whether an SQLSTATE is of the server alone: out of resources, operator intervention, system error. They pass. */
export const isOfServer = (state: string): boolean => /^(53|57|58)/.test(state)
