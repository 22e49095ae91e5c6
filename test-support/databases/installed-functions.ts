import type { ClientBase, Pool } from 'pg'

/** The settings that `finish.sql` gives to each function, by their names in pg_proc.proconfig. */
export const FUNCTION_SETTINGS = [
  'DateStyle=ISO, YMD',
  'IntervalStyle=postgres',
  'TimeZone=UTC',
  'array_nulls=on',
  'bytea_output=hex',
  'default_table_access_method=heap',
  'extra_float_digits=1',
  'lc_monetary=C',
  'plpgsql.extra_errors=none',
  'quote_all_identifiers=off',
  'search_path=pg_catalog, pg_temp',
  'standard_conforming_strings=on',
  'xmloption=content',
]

/**
 * The functions of the schema tidemark that lack one of the settings. A function whose body was parsed at its creation,
 * and which may be inlined, needs none. json_value has only those on which it depends.
 */
export async function findUnfixedFunctions(database: ClientBase | Pool): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(
    `select format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) as name
     from pg_proc p
     where p.pronamespace = 'tidemark'::regnamespace
       and (p.prosqlbody is null or p.proconfig is not null)
       and p.proname <> 'json_value'
       and not coalesce(p.proconfig, '{}') @> $1::text[]
     order by 1`,
    [FUNCTION_SETTINGS],
  )
  return rows.map(({ name }) => name)
}

/** The functions of the schema tidemark whose bodies Postgres would refuse if it checked them, each with its error. */
export async function findInvalidFunctions(database: Pool): Promise<string[]> {
  const { rows } = await database.query<{ oid: number; name: string; validator: string }>(
    `select p.oid::int, p.oid::regprocedure::text as name, l.lanvalidator::regproc::text as validator
     from pg_proc p
     join pg_language l on l.oid = p.prolang
     where p.pronamespace = 'tidemark'::regnamespace
       and p.prosqlbody is null
     order by 2`,
  )
  const invalid: string[] = []
  for (const { oid, name, validator } of rows) {
    await database.query(`select ${validator}($1)`, [oid]).catch((error) => invalid.push(`${name}: ${error.message}`))
  }
  return invalid
}
