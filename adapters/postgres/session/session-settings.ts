/**
 * Settings that change what a text means, what a statement does or what survives a crash. A database or a role may set
 * them to anything, so that nothing of ours may rely on a default. Each exists in every supported version of Postgres.
 */
export const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  // How literals, names and expressions are read.
  standard_conforming_strings: 'on',
  backslash_quote: 'safe_encoding',
  array_nulls: 'on',
  transform_null_equals: 'off',
  // Not every xml value is a document.
  xmloption: 'content',
  // Before public, so that a function there does not stand for one of Postgres; types of extensions are in public.
  search_path: 'pg_catalog,public',
  'plpgsql.extra_errors': 'none',
  // How values and names are written: equal keys give one text, and Debezium reads intervals and money in these forms only.
  bytea_output: 'hex',
  DateStyle: 'ISO,YMD',
  extra_float_digits: '1',
  IntervalStyle: 'postgres',
  lc_monetary: 'C',
  quote_all_identifiers: 'off',
  // A timestamp that a contract made one with time zone is taken as UTC, as the source takes it.
  TimeZone: 'UTC',
  // What statements see, may do and leave.
  default_table_access_method: 'heap',
  default_transaction_deferrable: 'off',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  exit_on_error: 'off',
  idle_session_timeout: '0',
  // Off, policies would make statements fail that they let through.
  row_security: 'on',
  // Progress that a crash takes back would make a gap of what was applied.
  synchronous_commit: 'on',
}

/** For sessions whose statements take as long as the tables are large. */
export const WITHOUT_TIMEOUTS: Readonly<Record<string, string>> = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
}

/** Postgres 17 has one more timeout, and earlier versions refuse a session that names it as it starts. */
export const WITHOUT_TRANSACTION_TIMEOUT = `select set_config(name, '0', false) from pg_settings where name = 'transaction_timeout'`

/**
 * The settings as the startup parameter `options`: it wins over those of the server, the database, the role, and the role
 * in the database. `more` is added, or replaces them.
 */
export function sessionOptions(more: Readonly<Record<string, string>> = {}): string {
  return Object.entries({ ...SESSION_SETTINGS, ...more })
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, '\\$&')}`)
    .join(' ')
}
