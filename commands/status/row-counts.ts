import pg from 'pg'

/** A table as the statistics know it; `writes` grows with every row written. */
export type TableStatistics = { schema: string; table: string; estimate: number; writes: number }

export type RowCount = { name: string; rows: number; isEstimate: boolean; writes: number }

/** A larger table is not counted: that would cost the server more than it tells. */
const mostCounted = 100_000
/** Tables counted at one look. */
const countsPerLook = 8

/**
 * Counts the rows of small tables, again after they were written to, a few at each look; of others it tells what the
 * statistics estimate.
 */
export function makeCountRows(database: pg.Pool): (tables: TableStatistics[]) => Promise<RowCount[]> {
  const counted = new Map<string, { rows: number; writes: number }>()

  async function count({ schema, table, writes }: TableStatistics): Promise<void> {
    const name = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`
    const { rows } = await database.query(`select count(*)::float8 as rows from ${name}`)
    counted.set(nameOf({ schema, table }), { rows: rows[0].rows, writes })
  }

  return async (tables) => {
    const small = tables.filter(({ estimate }) => estimate <= mostCounted)
    const outdated = small.filter((table) => counted.get(nameOf(table))?.writes !== table.writes)
    for (const table of outdated.slice(0, countsPerLook)) await count(table)
    return tables.map((table) => {
      const name = nameOf(table)
      const known = table.estimate <= mostCounted ? counted.get(name) : undefined
      return { name, rows: known?.rows ?? table.estimate, isEstimate: known === undefined, writes: table.writes }
    })
  }
}

const nameOf = ({ schema, table }: { schema: string; table: string }) => `${schema}.${table}`

/** SQL for `estimate` and `writes`, of pg_class as c and pg_stat_user_tables as s. The statistics begin at 0 after a crash. */
export const statistics = `
  greatest(case when c.reltuples > 0 and s.n_tup_ins = 0 then c.reltuples else s.n_live_tup end, 0)::float8 as estimate,
  (s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::float8 as writes`
