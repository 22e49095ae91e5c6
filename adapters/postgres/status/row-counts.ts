import pg from 'pg'
import type { RowCount } from '#core/status/observations.ts'

/** A table according to the statistics. `writes` grows with every row that is written. `isReadable`: by this role. */
export type TableStatistics = {
  schema: string
  table: string
  estimate: number
  writes: number
  isReadable: boolean
}

/** The size up to which a table is counted. Counting a larger one would cost the server too much. */
const mostCounted = 100_000
/** The number of tables that are counted in one observation. */
const countsPerLook = 8

/**
 * Counts the rows of small tables after they were written to, a few in each observation. For other tables, and those
 * that the role may not read, it returns the estimate of the statistics.
 */
export function makeCountRows(database: pg.Pool): (tables: TableStatistics[]) => Promise<RowCount[]> {
  const counted = new Map<string, { rows: number; writes: number }>()

  async function count({ schema, table, writes }: TableStatistics): Promise<void> {
    const name = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`
    const { rows } = await database.query(`select count(*)::float8 as rows from ${name}`)
    counted.set(nameOf({ schema, table }), { rows: rows[0].rows, writes })
  }

  return async (tables) => {
    const small = tables.filter(({ estimate, isReadable }) => isReadable && estimate <= mostCounted)
    const outdated = small.filter((table) => counted.get(nameOf(table))?.writes !== table.writes)
    for (const table of outdated.slice(0, countsPerLook)) await count(table)
    return tables.map((table) => {
      const name = nameOf(table)
      const known = table.estimate <= mostCounted ? counted.get(name) : undefined
      return { name, rows: known?.rows ?? table.estimate, isEstimate: known === undefined, writes: table.writes }
    })
  }
}

/** Returns the estimates of the statistics only, so that nothing is counted in a database of others. */
export const estimateRows = async (tables: TableStatistics[]): Promise<RowCount[]> =>
  tables.map((table) => ({ name: nameOf(table), rows: table.estimate, isEstimate: true, writes: table.writes }))

const nameOf = ({ schema, table }: { schema: string; table: string }) => `${schema}.${table}`

/**
 * SQL for `estimate` and `writes`, with pg_class as c and pg_stat_user_tables as s. After a crash the statistics begin
 * at 0.
 */
export const statistics = `
  greatest(case when c.reltuples > 0 and s.n_tup_ins = 0 then c.reltuples else s.n_live_tup end, 0)::float8 as estimate,
  (s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::float8 as writes`

/** SQL for `isReadable`: false also where the table or view is gone. */
export const readability = (schema: string, table: string): string => `
  coalesce(
    has_schema_privilege(to_regnamespace(quote_ident(${schema})), 'usage')
      and has_table_privilege(to_regclass(format('%I.%I', ${schema}, ${table})), 'select'),
    false
  ) as "isReadable"`
