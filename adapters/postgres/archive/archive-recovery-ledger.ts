import type pg from 'pg'
import { CONSUMERS } from '#core/fixed-names.ts'
import type { OffsetSpan } from '#core/offset-spans.ts'
import { inTransaction } from '../session/transaction.ts'
import { type AdoptedState, adopt, undoPrepared } from './archive-adoption.ts'
import { type ArchiveTableLedger, makeTableLedger, type Problem } from './archive-table-ledger.ts'
import {
  type CommittedStream,
  readCommitted,
  readLost,
  readReplaced,
  readWaitingRanges,
  type Stream,
  type WaitingRange,
} from './archived-ranges.ts'

/** The identity of a table that exists. */
type Bound = { readonly name: string; readonly uuid: string; readonly location: string }

/** The ledger with the operations of recovery, which needs the committer's lock. */
export type ArchiveRecoveryLedger<Metrics> = ArchiveTableLedger & {
  committed(): Promise<CommittedStream[]>
  waitingRanges(): Promise<WaitingRange<Metrics>[]>
  /** The offsets that are known to be lost. */
  lost(): Promise<(Stream & { readonly spans: OffsetSpan[] })[]>
  noteLost(lost: readonly (Stream & { readonly spans: readonly OffsetSpan[] })[]): Promise<void>
  /** Makes the ledger belong to another table from now on. */
  rebind(table: Bound): Promise<void>
  adopt(state: AdoptedState<Metrics>): Promise<void>
  /**
   * The topic partitions that are stopped because their topic was created again, so that its log is not the one that
   * was archived.
   */
  replacedStreams(): Promise<Stream[]>
  /**
   * Notes that the archive is about to begin again with a new table. From then on no ranges are added. Returns the name
   * that the former table gets, which is that of an earlier call if there was one. `problem` is shown until the renewal
   * ends.
   */
  beginRenewal(table: Bound, formerName: string, problem: Problem): Promise<string>
  /**
   * Makes the ledger that of an empty table: ranges, files, commits and progress of the archive are deleted. The
   * renewal ends when the consumer groups are at the beginning of their topics.
   */
  renew(table: Bound, problem: Problem): Promise<void>
  /** Deletes waiting files that are gone from the ledger, together with their records. */
  forgetWaiting(paths: readonly string[]): Promise<void>
}

/** The ledger of recovery over the connection that holds the lock. */
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

async function beginRenewal(
  client: pg.PoolClient,
  table: Bound,
  formerName: string,
  problem: Problem,
): Promise<string> {
  // The lock waits for transactions that have noted a range. Later transactions see the renewal.
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

/**
 * The rows of progress are reset, not deleted, so that a late transaction waits for their lock and then finds the
 * renewal.
 */
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
