import pg from 'pg'
import { sessionOptions, WITHOUT_TIMEOUTS } from '#adapters/postgres/session/session-settings.ts'
import { createDatabase, type TestDatabase } from './database.ts'

/** Each setting changes the meaning of a text, the format of a value, or what a statement may do. */
export const HOSTILE_SETTINGS: Readonly<Record<string, string>> = {
  array_nulls: 'off',
  backslash_quote: 'on',
  bytea_output: 'escape',
  check_function_bodies: 'off',
  DateStyle: 'SQL, DMY',
  default_transaction_deferrable: 'on',
  default_transaction_isolation: 'serializable',
  default_transaction_read_only: 'on',
  extra_float_digits: '-15',
  IntervalStyle: 'sql_standard',
  idle_session_timeout: '2s',
  plan_cache_mode: 'force_custom_plan',
  'plpgsql.extra_errors': 'all',
  'plpgsql.variable_conflict': 'use_variable',
  quote_all_identifiers: 'on',
  row_security: 'off',
  search_path: 'hostile, pg_catalog',
  session_replication_role: 'replica',
  standard_conforming_strings: 'off',
  synchronous_commit: 'off',
  TimeZone: 'Asia/Kathmandu',
  transform_null_equals: 'on',
  xmlbinary: 'hex',
  xmloption: 'document',
}

/**
 * These are set for the database only. A timeout for one of Tidemark's roles in the database would be its
 * administrator's decision.
 */
const HOSTILE_TIMEOUTS = {
  statement_timeout: '300ms',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '2s',
  transaction_timeout: '3s',
}

/**
 * Gives a database, and roles in it, hostile values of all settings, which sessions get that begin later. The first
 * schema of the search path has functions with the names of Postgres's own that return something else.
 */
export async function makeHostile(pool: pg.Pool, roles: readonly string[]): Promise<void> {
  const name = (await pool.query('select current_database() as name')).rows[0].name
  await pool.query(`
    create schema hostile;
    grant usage on schema hostile to public;
    create function hostile.quote_ident(text) returns text language sql return 'hostile';
    create function hostile.lower(text) returns text language sql return 'hostile';
    create function hostile.hashtextextended(text, bigint) returns bigint language sql return 0;
    create function hostile.now() returns timestamptz language sql return 'epoch'::timestamptz`)
  const known = new Set((await pool.query('select name from pg_settings')).rows.map((row) => row.name))
  for (const [setting, value] of Object.entries({ ...HOSTILE_SETTINGS, ...HOSTILE_TIMEOUTS })) {
    if (!known.has(setting) && !setting.includes('.')) continue
    const to = setting === 'search_path' ? value : pg.escapeLiteral(value)
    await pool.query(`alter database ${name} set ${setting} = ${to}`)
    if (setting in HOSTILE_TIMEOUTS) continue
    for (const role of roles) await pool.query(`alter role ${role} in database ${name} set ${setting} = ${to}`)
  }
}

/** Creates a database that is hostile for all roles of Tidemark before anything of Tidemark is in it. */
export async function createHostileDatabase(side: 'source' | 'target'): Promise<TestDatabase> {
  // The roles belong to the whole server. The migrations of the template make them.
  await (await createDatabase(side)).drop()
  const database = await createDatabase('empty')
  await makeHostile(database.pool, ['postgres', ...ROLES[side]])
  return database
}

const ROLES = {
  source: ['tidemark_capture', 'tidemark_producer'],
  target: ['tidemark_apply', 'tidemark_archive', 'tidemark_windows', 'tidemark_read'],
}

/** The URL for sessions of an application that has set everything it relies on itself. */
export const soundUrl = (url: string): string =>
  withOptions(url, sessionOptions({ ...WITHOUT_TIMEOUTS, search_path: 'public' }))

/** The URL for sessions of an application that may write and otherwise uses the settings as they are. */
export const hostileUrl = (url: string): string =>
  withOptions(
    url,
    [
      '-c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed',
      '-c search_path=public -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0',
    ].join(' '),
  )

function withOptions(url: string, options: string): string {
  const changed = new URL(url)
  changed.searchParams.set('options', options)
  // Postgres does not read + as a space.
  changed.search = changed.search.replaceAll('+', '%20')
  return changed.href
}
