import type pg from 'pg'

/** How much waits, and since when. */
export type Waiting = { readonly bytes: number; readonly files: number; readonly oldestAgeMs: number | null }

/** What waits to be committed; of it all, nothing that a commit has taken. */
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
 * How long, in ms, the oldest record has been in no commit: since it was written, since it failed to be, or at most since
 * the topic partition was last archived where others have seen records that were not taken. Null when there is none.
 */
export async function readUncommittedAge(client: pg.PoolClient): Promise<number | null> {
  const { rows } = await client.query<{ age_ms: number | null }>(
    `select (extract(epoch from clock_timestamp() - min(uncommitted_since)) * 1000)::float8 as age_ms
     from tidemark.archive_status`,
  )
  return rows[0]!.age_ms
}
