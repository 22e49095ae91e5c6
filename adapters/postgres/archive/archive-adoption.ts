import type pg from 'pg'
import { CONSUMERS } from '#core/fixed-names.ts'
import type { CommittedStream, WaitingRange } from './archived-ranges.ts'

/** The state that the ledger adopts from a table that has more commits than the ledger. */
export type AdoptedState<Metrics> = {
  readonly number: number
  readonly snapshotId: bigint
  readonly streams: readonly (CommittedStream & {
    /** The digest of the last record, as in progress; null if it is no longer known. */
    readonly lastDigest: string | null
    readonly newestTimestampMs: number
  })[]
  /** Ranges that waited and are partly in the table: the parts that are not. */
  readonly trimmed: readonly WaitingRange<Metrics>[]
}

/** Undoes a commit that was prepared, so that its ranges wait again. */
export async function undoPrepared(client: pg.PoolClient): Promise<void> {
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

export async function adopt<Metrics>(client: pg.PoolClient, state: AdoptedState<Metrics>): Promise<void> {
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
  // Ranges that wait and are in the table already are deleted. The rest of a range that is only partly in it keeps
  // waiting, in files of its own.
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
