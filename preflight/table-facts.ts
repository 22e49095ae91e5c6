import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ClientBase, type DatabaseError, escapeIdentifier } from 'pg'

/** A table of the schemas looked at. */
export type TableFacts = {
  name: string
  /** Schema and table. */
  path: [string, string]
  /** Postgres's estimate. */
  rows: number
  bytes: number
  refusals: { reason: string; fix: string }[]
}

/** The schemas that tables of users are in, or can be. */
export async function readSchemas(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', 'tidemark')`,
  )
  return rows.map(({ name }) => name)
}

const rulesFolder = join(import.meta.dirname, '../sql/source/functions/refusals')

/**
 * The SQL that makes the functions which decide what can be captured, for one session only: in pg_temp instead of the schema
 * tidemark, which may not be there yet.
 */
export async function readRefusalRules(): Promise<string> {
  const names = (await readdir(rulesFolder)).filter((name) => name.endsWith('.sql')).sort()
  const files = await Promise.all(names.map((name) => readFile(join(rulesFolder, name), 'utf8')))
  return files
    .join('')
    .replaceAll(/\btidemark\.(?=\w+\()/g, 'pg_temp.')
    .replaceAll(/^as \$\$$/gm, 'set search_path = pg_catalog, pg_temp\nas $$$$')
}

/**
 * Reads the tables of the schemas, by name, with the reasons why one cannot be captured: decided by the very functions
 * that will decide in the source, made for this session only.
 */
export async function readTableFacts(client: ClientBase, schemas: string[]): Promise<TableFacts[]> {
  const rules = await readRefusalRules()
  await client.query('begin read write')
  try {
    await client.query(rules)
    const { rows } = await client.query<TableFacts>(
      `select n.nspname || '.' || c.relname as name,
         array[n.nspname::text, c.relname::text] as path,
         greatest(c.reltuples, 0)::float8 as rows,
         pg_table_size(c.oid)::float8 as bytes,
         coalesce(
           (select json_agg(r) from pg_temp.table_refusals(c.oid, '{}', current_user) r),
           '[]'
         ) as refusals
       from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = any ($1)
         and c.relkind = 'r'
         and c.relpersistence <> 't'
       order by name`,
      [schemas],
    )
    return rows
  } finally {
    await client.query('rollback')
  }
}

/** Whether the way to have it captured names the role that the installation makes. */
export const namesCaptureRole = ({ refusals }: TableFacts): boolean =>
  refusals.some(({ fix }) => fix.includes('tidemark_capture'))

/** SQLSTATE character_not_in_repertoire. */
const NOT_UTF8 = '22021'

/** Of these tables the names of those that hold bytes that are not UTF-8, in a database without an encoding. Reads all rows. */
export async function tablesWithForeignBytes(client: ClientBase, tables: readonly TableFacts[]): Promise<string[]> {
  const found: string[] = []
  for (const { name, path } of tables) {
    const table = path.map(escapeIdentifier).join('.')
    try {
      await client.query(`select count(convert_from(textsend(t::text), 'UTF8')) from only ${table} t`)
    } catch (error) {
      if ((error as DatabaseError).code !== NOT_UTF8) throw error
      found.push(name)
    }
  }
  return found
}
