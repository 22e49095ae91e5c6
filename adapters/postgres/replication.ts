import { escapeIdentifier, type Pool } from 'pg'

/** Tables of a publication as `schema.table`, without the bookkeeping's own, by name. */
export async function publishedTables(pool: Pool, publication: string): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select schemaname || '.' || tablename as name
     from pg_publication_tables
     where pubname = $1
       and schemaname <> 'tidemark'
     order by 1`,
    [publication],
  )
  return rows.map(({ name }) => name)
}

/** A replication slot as the server sees it; undefined where there is none. */
export async function findSlot(pool: Pool, name: string): Promise<{ activePid: number | null } | undefined> {
  const { rows } = await pool.query<{ activePid: number | null }>(
    `select active_pid as "activePid" from pg_replication_slots where slot_name = $1`,
    [name],
  )
  return rows[0]
}

/** Drops an inactive slot; a slot that is not there is as good as dropped. */
export async function dropSlot(pool: Pool, name: string): Promise<void> {
  await pool.query(`select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1`, [name])
}

/** Drops a publication if it is there. Needs its owner. */
export async function dropPublication(pool: Pool, name: string): Promise<void> {
  await pool.query(`drop publication if exists ${escapeIdentifier(name)}`)
}
