import type pg from 'pg'
import { CONSUMERS } from '#core/fixed-names.ts'
import type { OffsetSpan } from '#core/offset-spans.ts'
import { isOfReplacedArchive } from '#core/recovery/stop-reasons.ts'
import type { LedgerFile } from './archive-ledger.ts'
import { type ArchiveTableLedger, makeTableLedger, type Problem } from './archive-table-ledger.ts'

/** Where records come from. */
type Stream = { readonly topic: string; readonly topicPartition: number }

/** What the ledger has committed of a topic partition. */
export type CommittedStream = Stream & OffsetSpan & { readonly records: number }

/** Records in data files that no commit has; those of a commit that is prepared count as well. */
export type WaitingRange<Metrics> = Stream &
  OffsetSpan & { readonly range: number; readonly records: number; readonly files: readonly LedgerFile<Metrics>[] }

/** What the ledger takes over from a table that has more commits than it knows. */
export type AdoptedState<Metrics> = {
  readonly number: number
  readonly snapshotId: bigint
  readonly streams: readonly (CommittedStream & {
    /** Of the last record, as progress keeps it; null where it cannot be told any more. */
    readonly lastDigest: string | null
    readonly newestTimestampMs: number
  })[]
  /** Ranges that waited and begin in the table: what is left of them behind it. */
  readonly trimmed: readonly WaitingRange<Metrics>[]
}

/** A table that is there. */
type Bound = { readonly name: string; readonly uuid: string; readonly location: string }

/** The ledger as recovery changes it, under the committer's lock. */
export type ArchiveRecoveryLedger<Metrics> = ArchiveTableLedger & {
  committed(): Promise<CommittedStream[]>
  waitingRanges(): Promise<WaitingRange<Metrics>[]>
  /** Offsets that are known to be lost. */
  lost(): Promise<(Stream & { readonly spans: OffsetSpan[] })[]>
  noteLost(lost: readonly (Stream & { readonly spans: readonly OffsetSpan[] })[]): Promise<void>
  /** The ledger belongs to another table from now on. */
  rebind(table: Bound): Promise<void>
  adopt(state: AdoptedState<Metrics>): Promise<void>
  /** Topic partitions that are stopped because another log has taken the place of the one that was archived. */
  replacedStreams(): Promise<Stream[]>
  /**
   * The archive of this table is about to begin again: from now on nothing is added to what waits. Returns the name that the
   * former table gets: that of an earlier call where there was one. `problem` is what people are told meanwhile.
   */
  beginRenewal(table: Bound, formerName: string, problem: Problem): Promise<string>
  /**
   * The ledger begins again with an empty table; everything that it knew is forgotten, and so is how far the topics are
   * archived. The renewal ends once the consumer groups are at the beginning of their topics.
   */
  renew(table: Bound, problem: Problem): Promise<void>
  /** Forgets data files that wait and are gone, with the records of theirs. */
  forgetWaiting(paths: readonly string[]): Promise<void>
}

/** It, over the connection that holds the lock. */
export function makeRecoveryLedger<Metrics>(client: pg.PoolClient): ArchiveRecoveryLedger<Metrics> {
  return {
    ...makeTableLedger(client),
    committed: () => readCommitted(client),
    waitingRanges: () => readWaitingRanges(client),
    lost: () => readLost(client),
    noteLost: (lost) => noteLost(client, lost),
    rebind: (table) => inTransaction(client, () => rebind(client, table)),
    replacedStreams: () => readReplaced(client),
    beginRenewal: (table, formerName, problem) =>
      inTransaction(client, () => beginRenewal(client, table, formerName, problem)),
    renew: (table, problem) => inTransaction(client, () => renew(client, table, problem)),
    adopt: (state) => inTransaction(client, () => adopt(client, state)),
    forgetWaiting: (paths) => inTransaction(client, () => forgetWaiting(client, paths)),
  }
}

async function inTransaction<T>(client: pg.PoolClient, work: () => Promise<T>): Promise<T> {
  await client.query('begin')
  try {
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

type StreamRow = { topic: string; topic_partition: number; from: string; to: string; records: string }

const streamOf = ({ topic, topic_partition, from, to, records }: StreamRow): CommittedStream => ({
  ...{ topic, topicPartition: topic_partition },
  ...{ from: Number(from), to: Number(to), records: Number(records) },
})

async function readCommitted(client: pg.PoolClient): Promise<CommittedStream[]> {
  const { rows } = await client.query<StreamRow>(
    `select s.topic, s.topic_partition, min(lower(r.offsets)) as from, max(upper(r.offsets)) as to,
       sum(r.records) as records
     from tidemark.archive_range r
     join tidemark.archive_stream s using (stream)
     join tidemark.archive_commit c on c.number = r.commit_number and c.committed_at is not null
     group by s.topic, s.topic_partition
     order by s.topic, s.topic_partition`,
  )
  return rows.map(streamOf)
}

async function readWaitingRanges<Metrics>(client: pg.PoolClient): Promise<WaitingRange<Metrics>[]> {
  const { rows } = await client.query<StreamRow & { range: string; files: LedgerFile<Metrics>[] }>(
    `select r.range, s.topic, s.topic_partition, lower(r.offsets) as from, upper(r.offsets) as to, r.records,
       coalesce(
         json_agg(json_build_object('path', f.path, 'day', f.day - date '1970-01-01', 'records', f.records,
           'bytes', f.bytes, 'metrics', f.metrics)) filter (where f.path is not null),
         '[]'
       ) as files
     from tidemark.archive_range r
     join tidemark.archive_stream s using (stream)
     left join tidemark.archive_commit c on c.number = r.commit_number
     left join tidemark.archive_file f on f.range = r.range
     where c.committed_at is null
     group by r.range, s.topic, s.topic_partition
     order by r.range`,
  )
  return rows.map(({ range, files, ...row }) => ({ ...streamOf(row), range: Number(range), files }))
}

async function readLost(client: pg.PoolClient) {
  const { rows } = await client.query<StreamRow>(
    `select s.topic, s.topic_partition, lower(o.span) as from, upper(o.span) as to, 0 as records
     from tidemark.archive_lost l
     join tidemark.archive_stream s using (stream)
     cross join unnest(l.offsets) as o (span)
     order by s.topic, s.topic_partition, o.span`,
  )
  const byStream = Map.groupBy(rows.map(streamOf), ({ topic, topicPartition }) => `${topic}-${topicPartition}`)
  return Array.from(byStream.values(), (spans) => ({
    ...{ topic: spans[0]!.topic, topicPartition: spans[0]!.topicPartition },
    spans: spans.map(({ from, to }) => ({ from, to })),
  }))
}

async function noteLost(client: pg.PoolClient, lost: readonly (Stream & { readonly spans: readonly OffsetSpan[] })[]) {
  const rows = lost.flatMap(({ topic, topicPartition, spans }) =>
    spans.map(({ from, to }) => ({ topic, topic_partition: topicPartition, from, to })),
  )
  await client.query(
    `insert into tidemark.archive_lost as l (stream, offsets)
     select s.stream, range_agg(int8range(g.from, g.to))
     from json_to_recordset($1) as g (topic text, topic_partition integer, "from" bigint, "to" bigint)
     join tidemark.archive_stream s using (topic, topic_partition)
     group by s.stream
     on conflict (stream) do update
     set offsets = l.offsets + excluded.offsets`,
    [JSON.stringify(rows)],
  )
}

async function rebind(client: pg.PoolClient, { name, uuid, location }: Bound): Promise<void> {
  await client.query('delete from tidemark.archive_table')
  await client.query('insert into tidemark.archive_table (name, table_uuid, location) values ($1, $2, $3)', [
    ...[name, uuid, location],
  ])
}

async function readReplaced(client: pg.PoolClient): Promise<Stream[]> {
  const { rows } = await client.query<Stream & { consumer: string; reason: string }>(
    `select consumer, topic, topic_partition as "topicPartition", reason
     from tidemark.stop
     order by topic, topic_partition`,
  )
  return rows.flatMap(({ consumer, reason, ...stream }) => (isOfReplacedArchive(consumer, reason) ? [stream] : []))
}

async function beginRenewal(
  client: pg.PoolClient,
  table: Bound,
  formerName: string,
  problem: Problem,
): Promise<string> {
  // Waits for whoever is noting a range; who comes after it sees the renewal.
  await client.query('lock table tidemark.archive_range in share row exclusive mode')
  await rebind(client, table)
  await client.query(
    `insert into tidemark.archive_renewal (former_name)
     select $1
     where not exists (select from tidemark.archive_renewal)`,
    [formerName],
  )
  await makeTableLedger(client).noteProblem(problem)
  const { rows } = await client.query<{ name: string }>('select former_name as name from tidemark.archive_renewal')
  return rows[0]!.name
}

/** What is forgotten of progress keeps its row: whoever is late waits for it, and finds the renewal. */
async function renew(client: pg.PoolClient, table: Bound, problem: Problem): Promise<void> {
  await client.query(
    `update tidemark.progress
     set next_offset = 0,
       last_digest = null,
       newest_timestamp = null,
       rebased = false
     where consumer = '${CONSUMERS.archive}'`,
  )
  for (const forgotten of ['archive_file', 'archive_range', 'archive_lost', 'archive_stream', 'archive_commit']) {
    await client.query(`delete from tidemark.${forgotten}`)
  }
  await rebind(client, table)
  await client.query(`delete from tidemark.stop where consumer = '${CONSUMERS.archive}'`)
  await client.query('delete from tidemark.archive_problem')
  await makeTableLedger(client).noteProblem(problem)
  await client.query('update tidemark.archive_renewal set is_ledger_new = true')
}

/** A commit that was prepared is decided again: its ranges wait as before it. */
async function undoPrepared(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ number: string }>(
    'select number from tidemark.archive_commit where committed_at is null',
  )
  for (const { number } of rows) {
    await client.query('delete from tidemark.archive_file where commit_number = $1 and range is null', [number])
    await client.query('update tidemark.archive_file set commit_number = null where commit_number = $1', [number])
    await client.query('update tidemark.archive_range set commit_number = null where commit_number = $1', [number])
    await client.query('delete from tidemark.archive_commit where number = $1', [number])
  }
}

async function adopt<Metrics>(client: pg.PoolClient, state: AdoptedState<Metrics>): Promise<void> {
  const { number, snapshotId, streams, trimmed } = state
  await undoPrepared(client)
  const rows = JSON.stringify(
    streams.map(({ topic, topicPartition, from, to, records, lastDigest, newestTimestampMs }) => ({
      ...{ topic, topic_partition: topicPartition, from, to, records },
      ...{ digest: lastDigest, newest: newestTimestampMs },
    })),
  )
  const given = `json_to_recordset($1) as g
    (topic text, topic_partition integer, "from" bigint, "to" bigint, records bigint, digest text, newest float8)`
  await client.query(
    `insert into tidemark.archive_stream (topic, topic_partition)
     select g.topic, g.topic_partition from ${given}
     on conflict do nothing`,
    [rows],
  )
  // What waits and is in the table is in it; what is left of a range behind it waits on, in files of its own.
  await client.query(
    `delete from tidemark.archive_range r
     using ${given} join tidemark.archive_stream s using (topic, topic_partition)
     where r.stream = s.stream
       and (r.commit_number is not null or lower(r.offsets) < g.to)`,
    [rows],
  )
  const totals = JSON.stringify(offsetsOf(streams))
  await client.query(
    `insert into tidemark.archive_commit (number, snapshot_id, records, offsets, committed_at)
     values ($1, $2, $3, $4, clock_timestamp())
     on conflict (number) do update
     set snapshot_id = excluded.snapshot_id,
       records = excluded.records,
       offsets = excluded.offsets,
       committed_at = excluded.committed_at`,
    [number, snapshotId, streams.reduce((sum, { records }) => sum + records, 0), totals],
  )
  await client.query(
    `insert into tidemark.archive_range (stream, offsets, records, commit_number)
     select s.stream, int8range(g.from, g.to), g.records, $2
     from ${given}
     join tidemark.archive_stream s using (topic, topic_partition)`,
    [rows, number],
  )
  for (const range of trimmed) await insertRange(client, range)
  await client.query(
    `insert into tidemark.progress as p (consumer, topic, topic_partition, next_offset, last_digest, newest_timestamp)
     select '${CONSUMERS.archive}', g.topic, g.topic_partition, g.to, g.digest, to_timestamp(g.newest / 1000)
     from ${given}
     on conflict (consumer, topic, topic_partition) do update
     set next_offset = excluded.next_offset,
       last_digest = excluded.last_digest,
       newest_timestamp = greatest(p.newest_timestamp, excluded.newest_timestamp)
     where p.next_offset < excluded.next_offset`,
    [rows],
  )
  await client.query(`delete from tidemark.stop where consumer = '${CONSUMERS.archive}'`)
}

function offsetsOf(streams: readonly CommittedStream[]): Record<string, Record<string, number>> {
  const offsets: Record<string, Record<string, number>> = {}
  for (const { topic, topicPartition, to } of streams) {
    offsets[topic] = { ...offsets[topic], [topicPartition]: to }
  }
  return offsets
}

async function insertRange<Metrics>(client: pg.PoolClient, range: WaitingRange<Metrics>): Promise<void> {
  await client.query(
    `with kept as (
       insert into tidemark.archive_range (stream, offsets, records)
       select s.stream, int8range($3, $4), $5
       from tidemark.archive_stream s
       where (s.topic, s.topic_partition) = ($1, $2)
       returning range
     )
     insert into tidemark.archive_file (path, day, records, bytes, metrics, range)
     select f.path, date '1970-01-01' + f.day, f.records, f.bytes, f.metrics, kept.range
     from kept, json_to_recordset($6) as f (path text, day integer, records bigint, bytes bigint, metrics jsonb)`,
    [range.topic, range.topicPartition, range.from, range.to, range.records, JSON.stringify(range.files)],
  )
}

async function forgetWaiting(client: pg.PoolClient, paths: readonly string[]): Promise<void> {
  await undoPrepared(client)
  await client.query(
    `with gone as (
       delete from tidemark.archive_file f where f.path = any ($1) returning f.range, f.records
     )
     update tidemark.archive_range r
     set records = r.records - g.records
     from (select range, sum(records) as records from gone group by range) g
     where r.range = g.range`,
    [paths],
  )
  await client.query(
    `delete from tidemark.archive_range r
     where r.commit_number is null
       and not exists (select from tidemark.archive_file f where f.range = r.range)`,
  )
}
