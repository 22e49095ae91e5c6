import { type ClientBase, type DatabaseError, escapeIdentifier } from 'pg'
import { LARGEST_CHANGE_BYTES } from '#adapters/connect/connector-configuration.ts'
import { advice, type Finding, ok } from './finding.ts'
import type { TableFacts } from './table-facts.ts'

/** The largest value of a column. */
export type LargestValue = {
  column: string
  /** The size of its JSON at least. For types other than texts and bytea it is the stored size. */
  bytes: number
  /** Whether an update sends both images of the row, so that the value is in it twice. */
  twice: boolean
}

/** The largest values of tables that store some out of line, and the tables that could not be read in time. */
export type LargeValues = { largest: LargestValue[]; unread: string[] }

/**
 * The time limits for reading one table and all tables. Tables have to be read, because no statistics have the largest
 * value.
 */
const MOST_SECONDS = { ofTable: 2, ofAll: 30 }

/** A value near the limit needs at least this much space, even at the best compression. */
const LEAST_TOAST_BYTES = 48 * 1024

/** The columns whose values may be stored out of line, for tables whose TOAST table is large enough. */
const COLUMNS = `
  select n.nspname || '.' || c.relname as name,
    array_agg(a.attname::text order by a.attnum) as columns,
    array_agg(t.typname::text order by a.attnum) as types,
    c.relreplident = 'f'
      or not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate) as twice
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attlen = -1
  join pg_type d on d.oid = a.atttypid
  join pg_type t on t.oid = case d.typtype when 'd' then d.typbasetype else d.oid end
  where n.nspname || '.' || c.relname = any ($1)
    and c.reltoastrelid <> 0
    and pg_relation_size(c.reltoastrelid) >= ${LEAST_TOAST_BYTES}
    and a.attgenerated <> 'v'
  group by c.oid, n.nspname, c.relname
  order by 1`

/** Reads the sizes of values in tables that have large ones, without reading the values themselves. */
export async function readLargeValues(client: ClientBase, tables: readonly TableFacts[]): Promise<LargeValues> {
  const found: LargeValues = { largest: [], unread: [] }
  const { rows } = await client.query<{ name: string; columns: string[]; types: string[]; twice: boolean }>(COLUMNS, [
    tables.map(({ name }) => name),
  ])
  const deadline = Date.now() + MOST_SECONDS.ofAll * 1000
  for (const { name, columns, types, twice } of rows) {
    if (Date.now() > deadline) {
      found.unread.push(name)
      continue
    }
    const path = tables.find((table) => table.name === name)!.path
    const sizes = columns.map((column, i) => `max(${sizeOf(escapeIdentifier(column), types[i]!)})::float8`)
    const bytes = await readInTime(client, `select ${sizes} from only ${path.map(escapeIdentifier).join('.')}`)
    if (bytes === undefined) found.unread.push(name)
    else
      found.largest.push(...columns.map((column, i) => ({ column: `${name}.${column}`, bytes: bytes[i] ?? 0, twice })))
  }
  return found
}

function sizeOf(column: string, type: string): string {
  if (type === 'bytea') return `octet_length(${column}) / 3.0 * 4`
  return /^(text|varchar|bpchar)$/.test(type) ? `octet_length(${column})` : `pg_column_size(${column})`
}

/** The SQLSTATEs query_canceled and insufficient_privilege. */
const UNREAD = new Set(['57014', '42501'])

async function readInTime(client: ClientBase, text: string): Promise<(number | null)[] | undefined> {
  await client.query('begin read only')
  try {
    await client.query(`set local statement_timeout = '${MOST_SECONDS.ofTable}s'`)
    const { rows } = await client.query<(number | null)[]>({ text, rowMode: 'array' })
    return rows[0]!
  } catch (error) {
    if (!UNREAD.has((error as DatabaseError).code ?? '')) throw error
    return undefined
  } finally {
    await client.query('rollback')
  }
}

/** Warns about columns whose values need more than half of what a change may have. */
export function judgeLargeValues({ largest, unread }: LargeValues): Finding {
  const subject = 'large values'
  const near = largest.filter(({ bytes, twice }) => bytes * (twice ? 2 : 1) > LARGEST_CHANGE_BYTES / 2)
  const limit = `a change of more than ${megabytes(LARGEST_CHANGE_BYTES)} of JSON stops its table`
  const notSeen = unread.length === 0 ? [] : [`not checked in time: ${unread.join(', ')}`]
  if (near.length > 0) {
    const named = near.map(
      ({ column, bytes, twice }) => `${column} ${megabytes(bytes)}${twice ? ', twice in an update' : ''}`,
    )
    return advice(
      subject,
      [`${named.join('; ')}: ${limit}`, ...notSeen].join('; '),
      '-- keep such values smaller, or exclude their columns with excludeColumns of the stage (docs/deploy.md)',
    )
  }
  if (unread.length > 0) {
    return advice(
      subject,
      `${notSeen[0]}; ${limit}`,
      '-- select max(octet_length(<column>)) from <table> says how large they are',
    )
  }
  const most = Math.max(0, ...largest.map(({ bytes }) => bytes))
  return ok(subject, most === 0 ? 'none' : `${megabytes(most)} at most`)
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
