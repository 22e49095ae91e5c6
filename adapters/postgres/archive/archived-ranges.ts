import type pg from 'pg'
import type { OffsetSpan } from '#core/offset-spans.ts'
import { isOfReplacedArchive } from '#core/recovery/stop-reasons.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import type { LedgerFile } from './ledger-file.ts'

/** The topic partition of records. */
export type Stream = { readonly topic: string; readonly topicPartition: number }

/** The committed offsets of a topic partition according to the ledger. */
export type CommittedStream = Stream & OffsetSpan & { readonly records: number }

/** Records in data files that are in no made commit, including those of a prepared one. */
export type WaitingRange<Metrics> = Stream &
  OffsetSpan & { readonly range: number; readonly records: number; readonly files: readonly LedgerFile<Metrics>[] }

/**
 * Notes that these files hold the records of a topic partition from offset `from` to before `to`, in the transaction
 * that advances its progress. An offset is never in the archive twice: if the ledger already has some of these offsets,
 * the constraint archive_range_once makes this throw an error.
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

type StreamRow = { topic: string; topic_partition: number; from: string; to: string; records: string }

const streamOf = ({ topic, topic_partition, from, to, records }: StreamRow): CommittedStream => ({
  ...{ topic, topicPartition: topic_partition },
  ...{ from: Number(from), to: Number(to), records: Number(records) },
})

export async function readCommitted(client: pg.PoolClient): Promise<CommittedStream[]> {
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

export async function readWaitingRanges<Metrics>(client: pg.PoolClient): Promise<WaitingRange<Metrics>[]> {
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

export async function readLost(client: pg.PoolClient) {
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

export async function readReplaced(client: pg.PoolClient): Promise<Stream[]> {
  const { rows } = await client.query<Stream & { consumer: string; reason: string }>(
    `select consumer, topic, topic_partition as "topicPartition", reason
     from tidemark.stop
     order by topic, topic_partition`,
  )
  return rows.flatMap(({ consumer, reason, ...stream }) => (isOfReplacedArchive(consumer, reason) ? [stream] : []))
}
