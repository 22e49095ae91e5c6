import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import type { ProgressKey } from '../delivery/progress.ts'
import { ADVISORY_LOCKS } from '../session/advisory-locks.ts'
import { type ArchiveRecoveryLedger, makeRecoveryLedger } from './archive-recovery-ledger.ts'
import { type ArchiveTableLedger, makeTableLedger } from './archive-table-ledger.ts'
import { readUncommittedAge, readWaiting, type Waiting } from './archive-waiting.ts'

/** A data file in the ledger. `Metrics` is JSON. */
export type LedgerFile<Metrics> = {
  /** The URL of the file. */
  readonly path: string
  /** The table partition, as days since 1970. */
  readonly day: number
  readonly records: number
  readonly bytes: number
  readonly metrics: Metrics
}

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

/** The lock that lets committers and maintenance of one archive run one after the other. */
const COMMITTER_LOCK = ADVISORY_LOCKS.archiveCommit

/**
 * Notes that these files hold the records of a topic partition from offset `from` to before `to`, in the transaction
 * that advances its progress. Throws an error if the ledger already has some of these offsets, because they would be
 * archived twice.
 */
export async function noteRange<Metrics>(
  client: pg.PoolClient,
  { topic, topicPartition }: ProgressKey,
  range: { from: number; to: number; records: number },
  files: readonly LedgerFile<Metrics>[],
): Promise<void> {
  await client.query(
    'insert into tidemark.archive_stream (topic, topic_partition) values ($1, $2) on conflict do nothing',
    [topic, topicPartition],
  )
  await client.query(
    `with noted as (
       insert into tidemark.archive_range (stream, offsets, records)
       select s.stream, int8range($3, $4), $5
       from tidemark.archive_stream s
       where s.topic = $1
         and s.topic_partition = $2
       returning range
     )
     insert into tidemark.archive_file (path, day, records, bytes, metrics, range)
     select f.path, date '1970-01-01' + f.day, f.records, f.bytes, f.metrics, noted.range
     from noted, json_to_recordset($6) as f (path text, day integer, records bigint, bytes bigint, metrics jsonb)`,
    [topic, topicPartition, range.from, range.to, range.records, JSON.stringify(files)],
  )
}

/** The greatest number of files and bytes in a commit. */
export type FileLimits = { readonly files: number; readonly bytes: number }

/** The ledger with the operations that a committer needs. */
export type ArchiveLedger<Metrics> = ArchiveTableLedger & {
  waiting(): Promise<Waiting>
  /**
   * The commit age in ms: how long the oldest record has been in no commit, also if it is not archived yet. Null if
   * there is none.
   */
  uncommittedAgeMs(): Promise<number | null>
  /** The commit that was prepared and is not noted as made, if any. */
  prepared(): Promise<PreparedCommit<Metrics> | undefined>
  /** The files of the oldest waiting ranges, within the limits, but at least of one range. Empty if none waits. */
  filesWaiting(limits: FileLimits): Promise<LedgerFile<Metrics>[]>
  /**
   * Prepares the commit of the waiting files `taken`. It consists of `files`, which are the same or the ones into which
   * those were joined.
   */
  prepare(
    taken: readonly LedgerFile<Metrics>[],
    snapshotId: bigint,
    files: readonly LedgerFile<Metrics>[],
  ): Promise<PreparedCommit<Metrics>>
  /** Notes that the commit was made. Returns the paths of files that are no longer needed. */
  finish(commit: PreparedCommit<Metrics>): Promise<string[]>
  /** The paths of all files that wait or belong to a commit that is not made yet. They are not orphans. */
  pathsInUse(): Promise<Set<string>>
}

/**
 * Runs `work` as the only committer of the archive. Returns `busy` if another one holds the lock for longer than
 * `patienceMs`. If the connection is lost, another committer may begin; then the catalog refuses the commit of one of
 * them.
 */
export const asCommitter = <Metrics, T>(
  pool: pg.Pool,
  work: (ledger: ArchiveLedger<Metrics>) => Promise<T>,
  patienceMs = 0,
): Promise<T | 'busy'> => inTurn(pool, patienceMs, (client) => work(makeLedger<Metrics>(client)))

/** The ledger with the operations of recovery, which also makes commits. */
export type RecovererLedger<Metrics> = ArchiveLedger<Metrics> & ArchiveRecoveryLedger<Metrics>

/** The same lock, for recovery, which makes table and ledger agree again. */
export const asRecoverer = <Metrics, T>(
  pool: pg.Pool,
  work: (ledger: RecovererLedger<Metrics>) => Promise<T>,
  patienceMs: number,
): Promise<T | 'busy'> =>
  inTurn(pool, patienceMs, (client) => work({ ...makeLedger<Metrics>(client), ...makeRecoveryLedger<Metrics>(client) }))

async function inTurn<T>(
  pool: pg.Pool,
  patienceMs: number,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T | 'busy'> {
  const client = await pool.connect()
  let broken = true
  try {
    const locked = await takeTurn(client, patienceMs)
    const result = locked ? await work(client) : 'busy'
    if (locked) await client.query('select pg_advisory_unlock($1)', [COMMITTER_LOCK])
    broken = false
    return result
  } finally {
    // A connection that may still hold the lock is closed, which releases the lock.
    client.release(broken)
  }
}

/** The lock is polled: a session that waited for it in the server could get it after the caller has given up. */
async function takeTurn(client: pg.PoolClient, patienceMs: number): Promise<boolean> {
  for (const deadline = performance.now() + patienceMs; ; await pause(LOOK_AGAIN_MS)) {
    const { rows } = await client.query('select pg_try_advisory_lock($1) as locked', [COMMITTER_LOCK])
    if (rows[0].locked || performance.now() >= deadline) return rows[0].locked
  }
}

const LOOK_AGAIN_MS = 200

function makeLedger<Metrics>(client: pg.PoolClient): ArchiveLedger<Metrics> {
  return {
    ...makeTableLedger(client),
    waiting: () => readWaiting(client),
    uncommittedAgeMs: () => readUncommittedAge(client),
    prepared: () => readPrepared(client),
    filesWaiting: (limits) => filesWaiting(client, limits),
    prepare: (taken, snapshotId, files) => prepare(client, taken, snapshotId, files),
    async finish({ number }) {
      const { rows } = await client.query<{ path: string }>(
        'select path from tidemark.finish_archive_commit($1) as path',
        [number],
      )
      return rows.map(({ path }) => path)
    },
    async pathsInUse() {
      const { rows } = await client.query<{ path: string }>('select path from tidemark.archive_file')
      return new Set(rows.map(({ path }) => path))
    },
  }
}

type FileRow<Metrics> = { path: string; day: number; records: string; bytes: string; metrics: Metrics }

const FILE_COLUMNS = `f.path, f.day - date '1970-01-01' as day, f.records, f.bytes, f.metrics`

const fileOf = <Metrics>(row: FileRow<Metrics>): LedgerFile<Metrics> => ({
  ...{ path: row.path, day: row.day, metrics: row.metrics },
  ...{ records: Number(row.records), bytes: Number(row.bytes) },
})

async function readPrepared<Metrics>(client: pg.PoolClient): Promise<PreparedCommit<Metrics> | undefined> {
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

/** A range is taken as a whole, so that a commit has all records of a batch or none. */
async function filesWaiting<Metrics>(client: pg.PoolClient, limits: FileLimits): Promise<LedgerFile<Metrics>[]> {
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

async function prepare<Metrics>(
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
