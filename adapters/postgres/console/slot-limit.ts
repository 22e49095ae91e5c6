import type pg from 'pg'

const statement = `
select case when setting::bigint >= 0 then setting::float8 * 1024 * 1024 end as bytes
from pg_settings
where name = 'max_slot_wal_keep_size'`

/** The bytes of WAL at which the source invalidates a replication slot that retains them; null if it never does. */
export async function readSlotLimit(source: Pick<pg.Pool, 'query'>): Promise<number | null> {
  return (await source.query<{ bytes: number | null }>(statement)).rows[0]?.bytes ?? null
}
