import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClientBase, DatabaseError } from 'pg'

type Migration = { number: number; name: string; sha256: string; sql: string }

/** Any constant: two runners on one database take turns. */
const RUNNER_LOCK = 7_305_110_017

/**
 * Brings a database to the state of a directory of `NNN-name.sql` files: in order, each in one transaction, recorded in
 * `tidemark.migration`. Returns the names applied now; none when there is nothing to do.
 * Throws, with the file's name, when one fails, was changed after it was applied, or is recorded but not in the directory.
 */
export async function migrate(client: ClientBase, directory: string): Promise<{ applied: string[] }> {
  const migrations = await readMigrations(directory)
  await inTransaction(client, () =>
    client.query(`
      create schema if not exists tidemark;
      create table if not exists tidemark.migration (
        number integer primary key,
        name text not null,
        sha256 text not null,
        applied_at timestamptz not null default now()
      )`),
  )
  const recorded = await client.query<{ number: number; name: string }>('select number, name from tidemark.migration')
  const unknown = recorded.rows.find((row) => !migrations.some(({ number }) => number === row.number))
  if (unknown !== undefined) {
    throw new Error(`the database has migration ${unknown.name}, which this version does not know: deploy a newer one`)
  }
  const applied: string[] = []
  for (const migration of migrations) {
    if (await inTransaction(client, () => apply(client, migration))) applied.push(migration.name)
  }
  return { applied }
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql') && name !== 'schema.sql').sort()
  return Promise.all(
    names.map(async (name, index) => {
      const sql = await readFile(join(directory, name), 'utf8')
      const number = Number(/^(\d{3})-[a-z0-9-]+\.sql$/.exec(name)?.[1])
      if (number !== index + 1) {
        throw new Error(`${join(directory, name)}: migrations are called NNN-name.sql, numbered from 001 without gaps`)
      }
      return { number, name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

async function apply(client: ClientBase, { number, name, sha256, sql }: Migration): Promise<boolean> {
  const { rows } = await client.query('select sha256 from tidemark.migration where number = $1', [number])
  if (rows.length > 0) {
    if (rows[0].sha256 === sha256) return false
    throw new Error(`${name} was changed after it was applied: restore it and write the change as a new migration`)
  }
  try {
    await client.query(sql)
  } catch (error) {
    throw new Error(`${name}${place(sql, error as DatabaseError)}: ${(error as Error).message}`, { cause: error })
  }
  await client.query('insert into tidemark.migration (number, name, sha256) values ($1, $2, $3)', [
    number,
    name,
    sha256,
  ])
  return true
}

async function inTransaction<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('begin')
  try {
    await client.query('select pg_advisory_xact_lock($1)', [RUNNER_LOCK])
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

function place(sql: string, error: DatabaseError): string {
  return error.position === undefined ? '' : ` line ${sql.slice(0, Number(error.position) - 1).split('\n').length}`
}
