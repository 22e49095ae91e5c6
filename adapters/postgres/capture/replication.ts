import { escapeIdentifier, type Pool } from 'pg'
import { EPOCH_PREFIX } from '#core/fixed-names.ts'

/** The tables of a publication as `schema.table`, ordered by name, without Tidemark's own tables. */
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

/** The present epoch of the source, and whether its tables are read by signals instead of the initial snapshot. */
export async function currentEpoch(source: Pool): Promise<{ epoch: number; readsBySignal: boolean }> {
  const { rows } = await source.query<{ epoch: number; readsBySignal: boolean }>(
    'select epoch, reads_by_signal as "readsBySignal" from tidemark.setting',
  )
  if (rows[0] === undefined) throw new Error('the source has no tidemark.setting: deploy the schema first')
  return rows[0]
}

/** The slots in the source's database that belong to earlier epochs. */
export async function slotsBefore(source: Pool, epoch: number): Promise<string[]> {
  const { rows } = await source.query<{ name: string }>(
    `select slot_name as name
     from pg_replication_slots
     where database = current_database()
       and slot_name ~ '^${EPOCH_PREFIX}[0-9]+$'
       and substr(slot_name, ${EPOCH_PREFIX.length + 1})::numeric < $1
     order by 1`,
    [epoch],
  )
  return rows.map(({ name }) => name)
}

/** A replication slot as the server lists it; undefined if there is none. */
export async function findSlot(pool: Pool, name: string): Promise<{ activePid: number | null } | undefined> {
  const { rows } = await pool.query<{ activePid: number | null }>(
    `select active_pid as "activePid" from pg_replication_slots where slot_name = $1`,
    [name],
  )
  return rows[0]
}

/** Drops an inactive slot. It is no error if the slot does not exist. */
export async function dropSlot(pool: Pool, name: string): Promise<void> {
  await pool.query(`select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1`, [name])
}

/** Drops a publication if it exists. Needs its owner. */
export async function dropPublication(pool: Pool, name: string): Promise<void> {
  await pool.query(`drop publication if exists ${escapeIdentifier(name)}`)
}
