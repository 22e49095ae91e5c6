import pg from 'pg'

/**
 * A pool that survives the end of its sessions. When the server ends one, the query under way gets the error, and the
 * process does not end.
 */
export function lastingPool(options: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(options)
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}
