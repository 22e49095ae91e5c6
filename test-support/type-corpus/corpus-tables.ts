import pg from 'pg'
import { readRefusalRules } from '#preflight/table-facts.ts'
import type { CorpusType } from './corpus.ts'

/** The conditions under which a column of a type can be captured. */
export type Conditions = {
  /** The reason why the type is refused, whatever the table does. */
  refusal: string | undefined
  /** The reason why the type needs the check constraints. */
  reason: string | undefined
  /** Check constraints that were added. */
  checks: string[]
  /** Whether the table is captured with replica identity full. */
  fullImages: boolean
}

/** Makes the rules about types usable in this session, before the source is migrated. */
export async function prepareTypeRules(client: pg.ClientBase): Promise<void> {
  await client.query(await readRefusalRules())
}

/** Follows the fixes that the refusals of a column name, except those that give it another type. */
export async function obeyRefusals(client: pg.ClientBase, table: string, column: string): Promise<Conditions> {
  const { rows } = await client.query<{ full: boolean; refusal: string | null; fix: string | null }>(
    `select c.full_images and a.attstorage <> 'p' as full, r.refusal, r.fix
     from pg_attribute a
     cross join lateral pg_temp.column_type(a.atttypid, a.atttypmod) c
     left join lateral pg_temp.column_type_refusal(a.attrelid, a.attnum) r on true
     where a.attrelid = $1::regclass
       and a.attname = $2`,
    [table, column],
  )
  const { full, refusal, fix } = rows[0]!
  const conditions = { refusal: undefined, reason: undefined, checks: [], fullImages: full }
  if (refusal === null || fix === null) return conditions
  if (fix.includes(' alter column ')) return { ...conditions, refusal }
  await client.query(fix)
  const checks = fix.slice(fix.indexOf('add check (')).split(', add check ').map(expressionOf)
  return { ...conditions, reason: refusal, checks }
}

const expressionOf = (check: string): string => check.replace(/^add check /, '').replace(/^\((.*)\)$/, '$1')

/** Stores a value. Returns false when Postgres refuses it. Throws an error that is not about the value. */
export async function store(client: pg.ClientBase, sql: string): Promise<boolean> {
  await client.query('savepoint value')
  try {
    await client.query(sql)
    await client.query('release savepoint value')
    return true
  } catch (error) {
    await client.query('rollback to savepoint value')
    // These codes are: a check constraint, a duplicate key, a value that is out of range or too long for an index, and
    // elements without an order.
    if (/^(23|22|54|42883)/.test((error as pg.DatabaseError).code ?? '')) return false
    throw error
  }
}

/** Ids of the rows in a table of the corpus, by what happens to them. */
export const ROWS = { read: 1_000, touched: 2_000, changed: 3_000, deleted: 4_000, inserted: 5_000 } as const

/** Creates the table of a type before the stack starts, so that the initial snapshot reads its rows. */
export async function createTypeTable(client: pg.ClientBase, of: CorpusType): Promise<Conditions> {
  const table = `type_${of.number}`
  await client.query(`create table ${table} (id integer primary key, n integer not null default 0, v ${of.type})`)
  const conditions = await obeyRefusals(client, table, 'v')
  const { rows } = await client.query(
    `select attstorage <> 'p' as apart from pg_attribute where attrelid = $1::regclass and attname = 'v'`,
    [table],
  )
  if (rows[0].apart) await client.query(`alter table ${table} alter v set storage external`)
  return conditions
}

/** Inserts every value into the rows of each group in ROWS. */
export async function fillTypeTable(client: pg.ClientBase, { number, values, large }: CorpusType): Promise<void> {
  const { read, touched, changed, deleted } = ROWS
  for (const [i, value] of values.entries()) {
    for (const row of [read + i, touched + i, changed + i, deleted + i]) {
      await store(client, `insert into type_${number} (id, v) values (${row}, ${pg.escapeLiteral(value)})`)
    }
  }
  await client.query(`insert into type_${number} (id) values (${read + 999}), (${touched + 999}), (${deleted + 999})`)
  if (large !== undefined) await client.query(`insert into type_${number} (id, v) values (${touched + 998}, ${large})`)
}

/**
 * Changes the rows of each group: another column of the row is updated, the value is replaced by the next one, the row
 * is deleted, or a new row is inserted.
 */
export async function changeTypeTable(client: pg.ClientBase, of: CorpusType): Promise<void> {
  const { touched, changed, deleted, inserted } = ROWS
  const table = `type_${of.number}`
  await client.query(`update ${table} set n = n + 1 where id >= ${touched} and id < ${changed}`)
  for (const [i, value] of of.values.entries()) {
    const following = of.values[(i + 1) % of.values.length]!
    await store(client, `update ${table} set v = ${pg.escapeLiteral(following)} where id = ${changed + i}`)
    await store(client, `insert into ${table} (id, v) values (${inserted + i}, ${pg.escapeLiteral(value)})`)
  }
  await client.query(`insert into ${table} (id) values (${inserted + 999})`)
  await client.query(`delete from ${table} where id >= ${deleted} and id < ${inserted}`)
}

/** Creates a table with the type as its key. Returns false when Postgres has no order for its values. */
export async function createKeyTable(client: pg.ClientBase, { number, type }: CorpusType): Promise<boolean> {
  await client.query('savepoint key')
  try {
    await client.query(`create table key_${number} (k ${type} primary key, n integer not null default 0)`)
  } catch (error) {
    // The type has no default operator class.
    if ((error as pg.DatabaseError).code !== '42704') throw error
    await client.query('rollback to savepoint key')
    return false
  }
  await obeyRefusals(client, `key_${number}`, 'k')
  return true
}

/**
 * Fills the table. Values with the same key are stored once, and those that are too long for an index not at all.
 * Returns false when it stays empty.
 */
export async function fillKeyTable(client: pg.ClientBase, of: CorpusType): Promise<boolean> {
  let filled = false
  for (const value of keysOf(of)) {
    const stored = await store(client, `insert into key_${of.number} (k) values (${pg.escapeLiteral(value)})`)
    filled ||= stored
  }
  return filled
}

const keysOf = ({ values, keyStops }: CorpusType): string[] => values.filter((value) => !keyStops.includes(value))

/** Updates the rows. Then each key but the first is deleted and inserted again in each of its texts. */
export async function changeKeyTable(client: pg.ClientBase, of: CorpusType): Promise<void> {
  const table = `key_${of.number}`
  await client.query(`update ${table} set n = n + 1`)
  for (const value of keysOf(of).slice(1)) {
    const key = `${pg.escapeLiteral(value)}::${of.type}`
    await store(client, `update ${table} set k = ${key} where k = ${key}`)
    await store(client, `delete from ${table} where k = ${key}`)
    await store(client, `insert into ${table} (k, n) values (${pg.escapeLiteral(value)}, 7)`)
  }
}

/**
 * Creates a table with rows and a column for each type while everything runs, so that an incremental snapshot reads it.
 */
export async function createLaterTable(
  client: pg.ClientBase,
  name: string,
  types: readonly CorpusType[],
): Promise<void> {
  const columns = types.map(({ number, type }) => `c${number} ${type}`)
  await client.query(`create table ${name} (${['id integer primary key', ...columns].join(', ')})`)
  for (const { number } of types) await obeyRefusals(client, name, `c${number}`)
  const rows = Math.max(...types.map(({ values }) => values.length))
  for (let row = 0; row < rows; row++) {
    await client.query(`insert into ${name} (id) values (${row})`)
    for (const { number, values } of types) {
      if (row >= values.length) continue
      await store(client, `update ${name} set c${number} = ${pg.escapeLiteral(values[row]!)} where id = ${row}`)
    }
  }
}

/**
 * The number of rows of each table of dates, which makes eight chunks. The driver reads the seventh chunk in another
 * format than the first.
 */
export const DATE_ROWS = 8 * 8_192

/**
 * Creates two tables later than the stack. One is read in chunks; the other has a date as its key and is read at once.
 */
export async function createDateTables(client: pg.ClientBase): Promise<void> {
  await client.query('create table days_in_chunks (id integer generated always as identity primary key, day date)')
  await client.query(`insert into days_in_chunks (day)
    select date '0100-01-01 BC' + g from generate_series(0, 51199) g
    union all select date '1560-01-01' + g from generate_series(0, ${DATE_ROWS - 51_200 - 3}) g
    union all values ('infinity'::date), ('-infinity')`)
  await client.query('create table days_at_once (day date primary key)')
  await client.query('insert into days_at_once select day from days_in_chunks')
}
