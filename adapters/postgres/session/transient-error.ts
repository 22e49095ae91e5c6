/**
 * SQLSTATEs after which the same work may succeed: serialization failure, deadlock, shutdown, connection failure, too
 * many connections, and timeouts that end a session, which do not depend on the table or record.
 */
const transientStates = /^(40001|40P01|55P03|57P01|57P02|57P03|57P05|25P03|25P04|08...|53300)$/

/**
 * Postgres's message for a row of its catalogs that another session has changed meanwhile, as by GRANT, which locks no
 * table. The SQLSTATE is that of any internal error, whose messages are not translated.
 */
const changedRow = /^tuple concurrently (updated|deleted)$/

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

/**
 * The beginnings of pg's messages for a connection that ended before, during or between queries. pg gives these errors
 * no code.
 */
const brokenConnection =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|timeout exceeded when trying to connect)/

/** The SQLSTATE of an error from the server; undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (error as object) ? code : undefined
}

/** Whether another session has changed the same row of the catalogs, or added it. */
function isOfChangedCatalog(error: Error): boolean {
  const state = sqlState(error)
  if (state === 'XX000') return changedRow.test(error.message)
  return state === '23505' && (error as Error & { schema?: string }).schema === 'pg_catalog'
}

/** Whether the transaction was rolled back because of what another one did at the same time. */
export const isConflict = (error: unknown): boolean =>
  error instanceof Error && (/^(40001|40P01)$/.test(sqlState(error) ?? '') || isOfChangedCatalog(error))

/** Whether trying the same transaction again may succeed. */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error)
  if (!(error instanceof Error)) return false
  if (state !== undefined) return transientStates.test(state) || isOfChangedCatalog(error)
  const code = 'code' in error ? String(error.code) : ''
  return brokenSocket.has(code) || brokenConnection.test(error.message)
}

/**
 * Whether an SQLSTATE is about the server alone: out of resources, operator intervention, system error. Such errors
 * pass.
 */
export const isOfServer = (state: string): boolean => /^(53|57|58)/.test(state)
