/**
 * Settings that change the meaning of a text, the effect of a statement, or what survives a crash. A database or a role
 * may set them to anything, so Tidemark's sessions do not rely on a default. Each exists in every supported version of
 * Postgres.
 */
export const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  // These decide how literals, names and expressions are read.
  standard_conforming_strings: 'on',
  backslash_quote: 'safe_encoding',
  array_nulls: 'on',
  transform_null_equals: 'off',
  // An xml value may be something else than a document.
  xmloption: 'content',
  // pg_catalog comes before public, so that a function in public does not replace one of Postgres. Types of extensions
  // are in public.
  search_path: 'pg_catalog,public',
  'plpgsql.extra_errors': 'none',
  // These decide how values and names are written: equal keys must have one text, and Debezium can read intervals and
  // money in these forms only.
  bytea_output: 'hex',
  DateStyle: 'ISO,YMD',
  extra_float_digits: '1',
  IntervalStyle: 'postgres',
  lc_monetary: 'C',
  quote_all_identifiers: 'off',
  // If a contract makes a timestamp one with time zone, it is taken as UTC, as in the source.
  TimeZone: 'UTC',
  // These decide what statements see, may do and create.
  default_table_access_method: 'heap',
  default_transaction_deferrable: 'off',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  exit_on_error: 'off',
  idle_session_timeout: '0',
  // If this were off, statements that row policies filter would fail instead.
  row_security: 'on',
  // If a crash could take back committed progress, the mapping would continue behind it, and the topic partition would
  // have a gap.
  synchronous_commit: 'on',
}

/** For sessions whose statements need more time for larger tables. */
export const WITHOUT_TIMEOUTS: Readonly<Record<string, string>> = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
}

/** Plans of prepared statements are made once for all values. */
export const KEPT_PLANS: Readonly<Record<string, string>> = { plan_cache_mode: 'force_generic_plan' }

/** Plans that stay good when a table grows from nothing to millions of rows. */
export const PLANS_BY_INDEX: Readonly<Record<string, string>> = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  // A plan with a step that is switched off is considered so expensive that it would be compiled, and run by several
  // processes.
  jit: 'off',
  max_parallel_workers_per_gather: '0',
}

/**
 * Postgres 17 has one more timeout. Earlier versions refuse a session that names it at startup, so it is set by a
 * query.
 */
export const WITHOUT_TRANSACTION_TIMEOUT = `select set_config(name, '0', false) from pg_settings where name = 'transaction_timeout'`

/**
 * The settings as the startup parameter `options`, which overrides the settings of the server, the database, the role,
 * and the role in the database. `more` adds to them or replaces them.
 */
export function sessionOptions(more: Readonly<Record<string, string>> = {}): string {
  return Object.entries({ ...SESSION_SETTINGS, ...more })
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, '\\$&')}`)
    .join(' ')
}
