import type pg from 'pg'
import type { TestDatabase } from './database.ts'
import { lastingPool } from './lasting-pool.ts'

/** A pool of a database whose sessions have the rights of one of the console's roles. */
export function consolePool(
  { url }: TestDatabase,
  role: 'tidemark_console_read' | 'tidemark_console_act' = 'tidemark_console_read',
): pg.Pool {
  return lastingPool({ connectionString: `${url}?options=-c%20role%3D${role}%20-c%20jit%3Doff`, max: 4 })
}
