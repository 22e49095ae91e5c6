import { setTimeout as pause } from 'node:timers/promises'
import type { ClientBase, DatabaseError } from 'pg'
import { ADVISORY_LOCKS } from '../session/advisory-locks.ts'
import { inTransaction } from '../session/transaction.ts'
import { isConflict } from '../session/transient-error.ts'
import { endNumberedInstallation } from './numbered-installation.ts'
import { readSqlFiles, type SqlFile, type SqlFiles } from './sql-files.ts'

/**
 * Brings a database to the state of the SQL files in a directory, in one transaction. Files of `tables/` run once, in
 * order. Files of `functions/` run again if they have changed, and all of them run after a new file of `tables/`.
 * `finish.sql` runs after any of these. Returns the names of the files that ran. Throws an Error with the file's name
 * if one fails, if a file of `tables/` was changed after it ran, or if the database has one that the directory lacks.
 */
export async function migrate(client: ClientBase, directory: string): Promise<{ applied: string[] }> {
  const files = await readSqlFiles(directory)
  return withoutConflict(() => inTransaction(client, () => migrateOnce(client, files)))
}

async function migrateOnce(client: ClientBase, files: SqlFiles): Promise<{ applied: string[] }> {
  // The lock lets two migrations of one database run one after the other.
  await client.query('select pg_advisory_xact_lock($1)', [ADVISORY_LOCKS.migration])
  const due = dueFiles(files, await readRecorded(client, files))
  // The bodies are not checked, so that a function can be created before another one that it calls. Tables that a
  // body names are checked when it is called.
  await client.query('set local check_function_bodies = off')
  for (const file of due) await apply(client, file)
  const kept = [...files.functions, ...files.tables, files.finish].map(({ name }) => name)
  await client.query('delete from tidemark.migration where file <> all ($1)', [kept])
  return { applied: due.map(({ name }) => name) }
}

/** The checksums of the files that have run, by name. */
async function readRecorded(client: ClientBase, { tables }: SqlFiles): Promise<ReadonlyMap<string, string>> {
  await client.query('create schema if not exists tidemark')
  const made = await endNumberedInstallation(client)
  await client.query(`
    create table if not exists tidemark.migration (
      file text primary key,
      sha256 text not null,
      applied_at timestamptz not null default now()
    )`)
  for (const file of tables.filter(({ name }) => made.includes(name))) await record(client, file)
  const { rows } = await client.query<{ file: string; sha256: string }>('select file, sha256 from tidemark.migration')
  return new Map(rows.map(({ file, sha256 }) => [file, sha256]))
}

function dueFiles({ tables, functions, finish }: SqlFiles, recorded: ReadonlyMap<string, string>): SqlFile[] {
  const unknown = [...recorded.keys()].find(
    (file) => file.startsWith('tables/') && !tables.some(({ name }) => name === file),
  )
  if (unknown !== undefined) {
    throw new Error(`the database has ${unknown}, which this version does not know: deploy a newer one`)
  }
  const changed = ({ name, sha256 }: SqlFile) => recorded.get(name) !== sha256
  const altered = tables.find((file) => recorded.has(file.name) && changed(file))
  if (altered !== undefined) {
    throw new Error(
      `${altered.name} was changed after it was applied: restore it and write the change as a new file of tables/`,
    )
  }
  const newTables = tables.filter(({ name }) => !recorded.has(name))
  const before = [...newTables, ...(newTables.length > 0 ? functions : functions.filter(changed))]
  return before.length > 0 || changed(finish) ? [...before, finish] : []
}

async function apply(client: ClientBase, file: SqlFile): Promise<void> {
  const { name, sql } = file
  try {
    await client.query(sql)
  } catch (error) {
    throw new Error(`${name}${place(sql, error as DatabaseError)}: ${(error as Error).message}`, { cause: error })
  }
  await record(client, file)
}

async function record(client: ClientBase, { name, sha256 }: SqlFile): Promise<void> {
  await client.query(
    `insert into tidemark.migration (file, sha256)
     values ($1, $2)
     on conflict (file) do update set sha256 = excluded.sha256, applied_at = now()`,
    [name, sha256],
  )
}

/** The number of attempts of a migration that conflicts with what other sessions do. */
const attempts = 10

/**
 * Roles belong to all databases of a server, so that another session may change the same one, as a migration of another
 * database does. Then Postgres ends one of the two transactions, and it is tried again.
 */
async function withoutConflict<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const isConflicting = isConflict(error) || isConflict((error as Error).cause)
      if (!isConflicting || attempt === attempts) throw error
      await pause(attempt * 50 * (0.5 + Math.random()))
    }
  }
}

function place(sql: string, error: DatabaseError): string {
  return error.position === undefined ? '' : ` line ${sql.slice(0, Number(error.position) - 1).split('\n').length}`
}
