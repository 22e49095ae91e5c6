import type pg from 'pg'

/** The amount of data that waits to be committed, and the age of the oldest part. */
export type Waiting = { readonly bytes: number; readonly files: number; readonly oldestAgeMs: number | null }

/** Counts all ranges that wait to be committed and are not in a prepared commit. */
export async function readWaiting(database: pg.Pool | pg.PoolClient): Promise<Waiting> {
  const { rows } = await database.query<{ bytes: string; files: string; age_ms: number | null }>(
    `select coalesce(sum(f.bytes), 0) as bytes,
       count(f.path) as files,
       (extract(epoch from clock_timestamp() - min(r.written_at)) * 1000)::float8 as age_ms
     from tidemark.archive_range r
     left join tidemark.archive_file f using (range)
     where r.commit_number is null`,
  )
  const { bytes, files, age_ms } = rows[0]!
  return { bytes: Number(bytes), files: Number(files), oldestAgeMs: age_ms }
}

/**
 * The commit age in ms of the oldest record that is in no commit. It counts from when the record was written to a data
 * file or failed to be, or at most from when its topic partition was last archived, if other consumers have seen
 * records that the archive has not taken. Null if there is none.
 */
export async function readUncommittedAge(client: pg.PoolClient): Promise<number | null> {
  const { rows } = await client.query<{ age_ms: number | null }>(
    `select (extract(epoch from clock_timestamp() - min(uncommitted_since)) * 1000)::float8 as age_ms
     from tidemark.archive_status`,
  )
  return rows[0]!.age_ms
}
