import type pg from 'pg'

/** The tables in the order in which their rows can be inserted. */
const tables = [
  'progress',
  'stop',
  'archive_table',
  'archive_stream',
  'archive_commit',
  'archive_range',
  'archive_file',
]

/** Stores progress and ledger. The returned function writes them back, like restoring an older backup of the target. */
export async function backUpLedger(database: pg.Pool): Promise<() => Promise<void>> {
  const kept = new Map<string, object[]>()
  for (const table of tables) {
    const { rows } = await database.query(`select to_json(t) as row from tidemark.${table} t`)
    kept.set(
      table,
      rows.map(({ row }) => row),
    )
  }
  return async () => {
    await database.query(`truncate ${tables.map((table) => `tidemark.${table}`).join(', ')} cascade`)
    for (const [table, rows] of kept) {
      await database.query(
        `insert into tidemark.${table} overriding system value
         select * from json_populate_recordset(null::tidemark.${table}, $1)`,
        [JSON.stringify(rows)],
      )
    }
  }
}
