import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import pg from 'pg'
import { migrate } from '#adapters/postgres/migration/migrate.ts'
import { clientOfUrl, urlConfiguration } from '#adapters/postgres/session/client-of-url.ts'
import { repository } from '#localstack/settings.ts'

/** A database on the target's server in which the state is rebuilt. */
export type ScratchDatabase = {
  readonly url: string
  /** Its sessions are like those of the role tidemark_apply in the target, but do not wait for the disk. */
  readonly pool: pg.Pool
  /** Ends the sessions of the database and drops it. */
  drop(): Promise<void>
}

const PREFIX = 'tidemark_rebuild_'
/** A database that is older than this and has no session was left behind by an earlier run. */
const LEFT_BEHIND_SECONDS = 60

const CONNECTIONS = 6

/**
 * Creates a scratch database, which is migrated like the target, has its extensions and keeps no history. `target` is
 * the administrator's URL. Drops databases that earlier runs left behind. Throws an Error that names the right if one
 * is missing.
 */
export async function createScratch(target: string): Promise<ScratchDatabase> {
  const name = `${PREFIX}${Math.floor(Date.now() / 1000)}_${randomBytes(3).toString('hex')}`
  const url = new URL(target)
  url.pathname = `/${name}`
  const administer = <T>(work: (client: pg.Client) => Promise<T>) => withClient(target, work)
  const extensions = await administer(async (client) => {
    await removeLeftBehind(client)
    await client.query(await creation(client, name)).catch(explainRights)
    const { rows } = await client.query<{ name: string; schema: string }>(
      `select e.extname as name, n.nspname as schema
       from pg_extension e
       join pg_namespace n on n.oid = e.extnamespace
       where e.extname <> 'plpgsql'`,
    )
    return rows
  })
  const configuration = urlConfiguration(url.href, 'tidemark rebuild', { synchronous_commit: 'off' })
  const pool = new pg.Pool({ ...configuration, max: CONNECTIONS, idleTimeoutMillis: 0 })
  pool.on('error', () => undefined)
  const drop = async () => {
    await pool.end()
    await administer((client) => client.query(`drop database if exists ${name} with (force)`))
  }
  try {
    await prepare(pool, extensions)
    return { url: url.href, pool, drop }
  } catch (error) {
    await drop()
    throw error
  }
}

async function prepare(pool: pg.Pool, extensions: readonly { name: string; schema: string }[]): Promise<void> {
  const client = await pool.connect()
  try {
    for (const { name, schema } of extensions) {
      await client.query(`create schema if not exists ${pg.escapeIdentifier(schema)}`)
      await client.query(
        `create extension if not exists ${pg.escapeIdentifier(name)} schema ${pg.escapeIdentifier(schema)}`,
      )
    }
    await migrate(client, join(repository, 'sql', 'target'))
    await client.query('update tidemark.history_setting set enabled = false')
  } finally {
    client.release()
  }
}

/** The database gets the encoding and the collation of the target, because generated columns depend on them. */
async function creation(client: pg.Client, name: string): Promise<string> {
  const { rows } = await client.query<{ encoding: string; collate: string; ctype: string; icu: boolean }>(
    `select pg_encoding_to_char(encoding) as encoding, datcollate as collate, datctype as ctype, datlocprovider = 'i' as icu
     from pg_database
     where datname = current_database()`,
  )
  const { encoding, collate, ctype, icu } = rows[0]!
  // With ICU, the database is created from template1, which has the locale of the server and so of the target.
  if (icu) return `create database ${name}`
  const settings = { encoding, lc_collate: collate, lc_ctype: ctype }
  const texts = Object.entries(settings).map(([setting, value]) => `${setting} ${pg.escapeLiteral(value)}`)
  return `create database ${name} template template0 locale_provider libc ${texts.join(' ')}`
}

async function removeLeftBehind(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select d.datname as name
     from pg_database d
     where d.datname ~ $1
       and split_part(d.datname, '_', 3)::bigint < extract(epoch from now()) - $2
       and not exists (select from pg_stat_activity a where a.datname = d.datname)`,
    [`^${PREFIX}\\d+_[0-9a-f]+$`, LEFT_BEHIND_SECONDS],
  )
  for (const { name } of rows) await client.query(`drop database if exists ${name}`)
}

function explainRights(error: Error & { code?: string }): never {
  if (error.code !== '42501') throw error
  throw new Error(
    'the rebuild makes a database of its own on the target server, and the role may not: alter role … createdb',
    { cause: error },
  )
}

/** Runs work with a connection of its own. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = clientOfUrl(url, 'tidemark rebuild')
  // If the session ends, the query under way fails with the error. Without a listener, the event would end the process
  // as well.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
