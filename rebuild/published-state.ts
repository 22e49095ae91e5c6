import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { ComparedTable } from '#verify/compared-table.ts'
import { shownTables, userState } from './shown-table.ts'
import { readShownContracts, type StateSession } from './state-session.ts'

/** A table that was written to the schema. */
export type PublishedTable = { readonly name: string; readonly from: string; readonly rows: number }

/** What is published, and where. */
export type PublicationOptions = {
  readonly rebuilt: StateSession
  /** A connection to the target as the administrator. */
  readonly target: pg.ClientBase
  readonly schema: string
  /** `schema.table`; if empty, all tables. */
  readonly tables: readonly string[]
  /** It becomes the comment of the schema. */
  readonly description: string
  /** Whether a schema that an earlier rebuild made is replaced. */
  readonly replace: boolean
  readonly onProgress: (what: string) => void
}

/** The beginning of the comment of a rebuild's schema. A schema without it is never dropped. */
const MARK = 'Tidemark rebuild: '

/** Throws an Error if the schema exists and may not be replaced, or if its name is reserved. */
export async function requireFreeSchema(target: pg.ClientBase, schema: string, replace: boolean): Promise<void> {
  if (/^(pg_.*|tidemark|tidemark_rows|public|information_schema)$/.test(schema)) {
    throw new Error(`a rebuild may not use the schema ${schema}: choose another name with --into`)
  }
  const { rows } = await target.query<{ comment: string | null }>(
    `select obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname = $1`,
    [schema],
  )
  const [found] = rows
  if (found === undefined) return
  if (found.comment?.startsWith(MARK) !== true) {
    throw new Error(`the schema ${schema} exists and was not made by a rebuild: choose another name with --into`)
  }
  if (!replace) throw new Error(`the schema ${schema} exists: give --replace, or another name with --into`)
}

/**
 * Copies the tables of a state into a schema of the target, as ordinary tables with the names and types of the captured
 * ones and their primary keys. Either all are copied or none. Roles that read the target may read them.
 */
export async function publishState(options: PublicationOptions): Promise<PublishedTable[]> {
  const { rebuilt, target, schema, tables: only, description, replace, onProgress } = options
  const tables = shownTables(await readShownContracts(rebuilt), only)
  const absent = only.filter((wanted) => !tables.some(({ name }) => name === wanted))
  if (absent.length > 0) throw new Error(`${absent.join(', ')} was not captured at that time`)
  const names = namesOf(tables)
  await target.query('begin')
  try {
    await requireFreeSchema(target, schema, replace)
    const into = pg.escapeIdentifier(schema)
    await target.query(`drop schema if exists ${into} cascade`)
    await target.query(`create schema ${into}`)
    await target.query(`comment on schema ${into} is ${pg.escapeLiteral(MARK + description)}`)
    const published: PublishedTable[] = []
    for (const table of tables) {
      onProgress(`copying ${table.name}`)
      const rows = await copyTable(options, table, `${into}.${pg.escapeIdentifier(names.get(table)!)}`)
      if (table !== userState || rows > 0) published.push({ name: names.get(table)!, from: table.name, rows })
      else await target.query(`drop table ${into}.${pg.escapeIdentifier(names.get(table)!)}`)
    }
    await target.query(`grant usage on schema ${into} to tidemark_read`)
    await target.query(`grant select on all tables in schema ${into} to tidemark_read`)
    await target.query('commit')
    return published
  } catch (error) {
    await target.query('rollback')
    throw error
  }
}

/** The table's own name, or `schema_table` if several schemas have a table of this name. */
function namesOf(tables: readonly ComparedTable[]): Map<ComparedTable, string> {
  const parts = (table: ComparedTable) => {
    const [schema, name] = splitIdentifier(table.identifier)
    return { table, name: name!, long: `${schema}_${name}` }
  }
  const all = tables.map(parts)
  const isShared = (name: string) => all.filter((each) => each.name === name).length > 1
  return new Map(all.map(({ table, name, long }) => [table, isShared(name) ? long : name]))
}

/** `"a"."b"` as `['a', 'b']`. */
const splitIdentifier = (identifier: string): string[] =>
  [...identifier.matchAll(/"((?:[^"]|"")*)"|([^".]+)/g)].map(([, quoted, plain]) =>
    (quoted ?? plain!).replaceAll('""', '"'),
  )

async function copyTable(
  { rebuilt, target }: PublicationOptions,
  { identifier, key }: ComparedTable,
  into: string,
): Promise<number> {
  const columns = await rebuilt.query<{ name: string; type: string }>(
    `select a.attname as name, format_type(a.atttypid, a.atttypmod) as type
     from pg_attribute a
     where a.attrelid = $1::regclass
       and a.attnum > 0
       and not a.attisdropped
     order by a.attnum`,
    [identifier],
  )
  const names = columns.map(({ name }) => pg.escapeIdentifier(name))
  await target.query(`create table ${into} (${columns.map(({ type }, i) => `${names[i]} ${type}`).join(', ')})`)
  const incoming = target.query(copyFrom(`copy ${into} (${names.join(', ')}) from stdin`))
  await pipeline(rebuilt.copy(`select ${names.join(', ')} from ${identifier}`), incoming)
  if (key.length > 0) {
    await target.query(
      `alter table ${into} add primary key (${key.map(({ name }) => pg.escapeIdentifier(name)).join(', ')})`,
    )
  }
  return incoming.rowCount
}
