import pg from 'pg'

/** A pool that outlives its sessions: one that the server ends is reported to the query under way, not to the process. */
export function lastingPool(options: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(options)
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}
