import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ClientBase, type DatabaseError, escapeIdentifier } from 'pg'

/** A table of the schemas that are checked. */
export type TableFacts = {
  name: string
  /** The schema and the table. */
  path: [string, string]
  /** The estimate of Postgres. */
  rows: number
  bytes: number
  refusals: { reason: string; fix: string }[]
}

/** The schemas that have tables of users, or can have them. */
export async function readSchemas(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', 'tidemark')`,
  )
  return rows.map(({ name }) => name)
}

const rulesFolder = join(import.meta.dirname, '../sql/source/functions/refusals')

/**
 * SQL that creates the functions which decide what can be captured, for one session only. They are created in pg_temp,
 * because the schema tidemark may not exist yet.
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
 * Reads the tables of the schemas by name, with the reasons why one cannot be captured. These come from the same
 * functions that will decide in the source, created for this session only.
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

/** Whether the SQL that makes the table capturable names the role that the installation creates. */
export const namesCaptureRole = ({ refusals }: TableFacts): boolean =>
  refusals.some(({ fix }) => fix.includes('tidemark_capture'))

/** The SQLSTATE character_not_in_repertoire. */
const NOT_UTF8 = '22021'

/** The names of those tables that have bytes which are not UTF-8, in a database without an encoding. Reads all rows. */
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
