import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { inject } from 'vitest'
import { migrate } from '#adapters/postgres/migration/migrate.ts'
import { lastingPool } from './lasting-pool.ts'

/** A database for one test. `pool` and `url` are the administrator's. */
export type TestDatabase = { name: string; url: string; pool: pg.Pool; drop(): Promise<void> }

/** The initial content of a database: nothing, or the migrations of one side. */
export type DatabaseTemplate = 'empty' | 'source' | 'target'

/**
 * Creates a database on the run's Postgres, as a copy of one that is migrated once per run. A database with another
 * encoding cannot be a copy. `drop` ends its sessions, drops its replication slots and removes it.
 */
export async function createDatabase(from: DatabaseTemplate, encoding?: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await asAdministrator(async (client) => {
    const isCopied = from !== 'empty' && encoding === undefined
    const template = isCopied ? await makeTemplate(client, from) : 'template0'
    const encoded = encoding === undefined ? '' : ` encoding '${encoding}' locale 'C'`
    await client.query(`create database ${name} template ${template}${encoded}`)
  })
  const url = databaseUrl(name)
  if (from !== 'empty' && encoding !== undefined) await migrateDatabase(name, from)
  // The functions' own pools of the target use the pipeline mode, too.
  const pool = lastingPool({ connectionString: url, max: 10, pipeline: from === 'target' })
  return { name, url, pool, drop: () => dropDatabase(name, pool) }
}

/** The URL of the named database on the run's Postgres, as the administrator or as a role with a password. */
export function databaseUrl(database: string, role?: { username: string; password: string }): string {
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${database}`
  if (role !== undefined) Object.assign(url, role)
  return url.href
}

/** The major of the run's Postgres, which decides what a test can ask of it. */
export const postgresMajor = (): number => inject('postgresMajor') ?? 17

async function makeTemplate(client: pg.Client, side: 'source' | 'target'): Promise<string> {
  const name = `tidemark_${side}`
  // Test files run in processes of their own. The first one makes the template, and the others wait for it.
  await client.query(`select pg_advisory_lock(hashtext('template'))`)
  try {
    const made = await client.query('select from pg_database where datname = $1 and datistemplate', [name])
    if (made.rowCount === 1) return name
    await client.query(`drop database if exists ${name}`)
    await client.query(`create database ${name} template template0`)
    await migrateDatabase(name, side)
    await client.query(`alter database ${name} is_template true`)
    return name
  } finally {
    await client.query(`select pg_advisory_unlock(hashtext('template'))`)
  }
}

async function migrateDatabase(name: string, side: 'source' | 'target'): Promise<void> {
  const database = new pg.Client({ connectionString: databaseUrl(name) })
  await database.connect()
  try {
    await migrate(database, fileURLToPath(new URL(`../../sql/${side}`, import.meta.url)))
  } finally {
    await database.end()
  }
}

async function dropDatabase(name: string, pool: pg.Pool): Promise<void> {
  await pool.end()
  await asAdministrator(async (client) => {
    await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
    const slots = await client.query('select slot_name from pg_replication_slots where database = $1', [name])
    for (const { slot_name } of slots.rows) await client.query('select pg_drop_replication_slot($1)', [slot_name])
    await client.query(`drop database ${name} with (force)`)
  })
}

async function asAdministrator(work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: inject('postgresUrl') })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
