import type pg from 'pg'
import { FILE_COLUMNS, type FileRow, fileOf, type LedgerFile } from './ledger-file.ts'

/** A commit of the Iceberg table that was prepared, whether it is made yet or not. */
export type PreparedCommit<Metrics> = {
  /** The number of the commit, counted from 1 without a gap. */
  readonly number: number
  /** The id of the table snapshot that the commit makes. */
  readonly snapshotId: bigint
  readonly records: number
  /** Topic → topic partition → first offset that is not in the table after the commit. */
  readonly offsets: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** The data files that the commit adds to the table. */
  readonly files: readonly LedgerFile<Metrics>[]
}

/** The greatest number of files and bytes in a commit. */
export type FileLimits = { readonly files: number; readonly bytes: number }

/** The commit that was prepared and is not noted as made, if any. */
export async function readPrepared<Metrics>(client: pg.PoolClient): Promise<PreparedCommit<Metrics> | undefined> {
  const { rows } = await client.query<{
    number: string
    snapshot_id: string
    records: string
    offsets: PreparedCommit<Metrics>['offsets']
  }>('select number, snapshot_id, records, offsets from tidemark.archive_commit where committed_at is null')
  const [row] = rows
  if (row === undefined) return undefined
  const files = await client.query<FileRow<Metrics>>(
    `select ${FILE_COLUMNS} from tidemark.archive_file f where f.commit_number = $1 order by f.path`,
    [row.number],
  )
  return {
    number: Number(row.number),
    snapshotId: BigInt(row.snapshot_id),
    records: Number(row.records),
    offsets: row.offsets,
    files: files.rows.map(fileOf),
  }
}

/**
 * The files of the oldest waiting ranges, within the limits, but at least of one range. A range is taken as a whole, so
 * that a commit has all records of a batch or none.
 */
export async function filesWaiting<Metrics>(client: pg.PoolClient, limits: FileLimits): Promise<LedgerFile<Metrics>[]> {
  const { rows } = await client.query<FileRow<Metrics> & { range: string }>(
    `select f.range, ${FILE_COLUMNS}
     from tidemark.archive_file f
     where f.range in (
       select r.range from tidemark.archive_range r where r.commit_number is null order by r.range limit $1
     )
     order by f.range, f.path`,
    [limits.files],
  )
  const taken: LedgerFile<Metrics>[] = []
  let bytes = 0
  for (const ofRange of Map.groupBy(rows, ({ range }) => range).values()) {
    const files = ofRange.map(fileOf)
    bytes += files.reduce((sum, file) => sum + file.bytes, 0)
    if (taken.length > 0 && (bytes > limits.bytes || taken.length + files.length > limits.files)) break
    taken.push(...files)
  }
  return taken
}

/** Prepares the commit of the waiting files `taken`, which consists of `files`. */
export async function prepare<Metrics>(
  client: pg.PoolClient,
  taken: readonly LedgerFile<Metrics>[],
  snapshotId: bigint,
  files: readonly LedgerFile<Metrics>[],
): Promise<PreparedCommit<Metrics>> {
  const records = files.reduce((sum, file) => sum + file.records, 0)
  await client.query('begin')
  try {
    const { rows } = await client.query<{ number: string }>(
      `insert into tidemark.archive_commit (number, snapshot_id, records, offsets)
       select coalesce(max(number), 0) + 1, $1, $2, '{}' from tidemark.archive_commit
       returning number`,
      [snapshotId, records],
    )
    const number = Number(rows[0]!.number)
    await claim(client, number, taken, records)
    await keepFiles(client, number, files)
    await client.query(
      `update tidemark.archive_commit
       set offsets = (
         select jsonb_object_agg(s.topic, s.ends)
         from (
           select a.topic, jsonb_object_agg(a.topic_partition, a.ended) as ends
           from (
             select s.topic, s.topic_partition, max(upper(r.offsets)) as ended
             from tidemark.archive_range r
             join tidemark.archive_stream s using (stream)
             where r.commit_number is not null
             group by s.topic, s.topic_partition
           ) a
           group by a.topic
         ) s
       )
       where number = $1`,
      [number],
    )
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  }
  return (await readPrepared<Metrics>(client))!
}

/**
 * The taken ranges cannot have changed, because the caller is the only committer and waiting ranges are never updated.
 */
async function claim<Metrics>(
  client: pg.PoolClient,
  number: number,
  taken: readonly LedgerFile<Metrics>[],
  records: number,
): Promise<void> {
  const { rows } = await client.query<{ records: string | null }>(
    `with claimed as (
       update tidemark.archive_range r
       set commit_number = $1
       where r.commit_number is null
         and r.range in (select f.range from tidemark.archive_file f where f.path = any ($2))
       returning r.records
     )
     select sum(records) as records from claimed`,
    [number, taken.map(({ path }) => path)],
  )
  if (Number(rows[0]!.records) === records) return
  throw new Error(`the files of commit ${number} hold ${records} records, their ranges ${rows[0]!.records}`)
}

async function keepFiles<Metrics>(
  client: pg.PoolClient,
  number: number,
  files: readonly LedgerFile<Metrics>[],
): Promise<void> {
  await client.query(
    `insert into tidemark.archive_file (path, day, records, bytes, metrics, commit_number)
     select f.path, date '1970-01-01' + f.day, f.records, f.bytes, f.metrics, $1
     from json_to_recordset($2) as f (path text, day integer, records bigint, bytes bigint, metrics jsonb)
     on conflict (path) do update
     set commit_number = excluded.commit_number`,
    [number, JSON.stringify(files)],
  )
}

/** Notes that the commit was made. Returns the paths of files that are no longer needed. */
export async function finish(client: pg.PoolClient, { number }: PreparedCommit<unknown>): Promise<string[]> {
  const { rows } = await client.query<{ path: string }>('select path from tidemark.finish_archive_commit($1) as path', [
    number,
  ])
  return rows.map(({ path }) => path)
}
