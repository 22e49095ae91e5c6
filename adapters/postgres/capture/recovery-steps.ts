import type { Pool } from 'pg'
import { CONSUMERS } from '#core/fixed-names.ts'
import type { PlaceOffset } from '#core/recovery/finding.ts'

type Table = { readonly schema: string; readonly table: string }

/**
 * Ends the renewal of the archive, once its ledger is the new one and its consumer groups are at the beginning of their
 * topics.
 */
export async function endArchiveRenewal(target: Pool): Promise<void> {
  await target.query(
    `with ended as (
       delete from tidemark.archive_renewal where is_ledger_new returning 1
     )
     delete from tidemark.archive_problem where kind = 'renewal' and exists (select from ended)`,
  )
}

/** Creates the view of a table again. */
export async function restoreView(target: Pool, { schema, table }: Table): Promise<void> {
  await target.query('select tidemark.restore_view($1, $2)', [schema, table])
}

/**
 * Begins a resync of a table. If the table is being snapshotted already, nothing is done, because that brings the rows back
 * too.
 */
export async function readAgain(source: Pool, { schema, table }: Table): Promise<void> {
  await source.query(
    `select tidemark.resync(t.schema_name || '.' || t.table_name)
     from tidemark.captured_table t
     where (t.schema_name, t.table_name, t.state) = ($1, $2, 'captured')`,
    [schema, table],
  )
}

/** Orders a new epoch: from then on the target skips records of earlier epochs. */
export async function orderEpoch(
  target: Pool,
  { epoch, reason, topicIsNew }: { readonly epoch: number; readonly reason: string; readonly topicIsNew: boolean },
): Promise<void> {
  await target.query('select tidemark.order_epoch($1, $2, $3)', [epoch, reason, topicIsNew])
}

/**
 * Sets progress so that each topic partition continues at its offset, regardless of what was applied before. What windows
 * miss is found by comparing them with the rows.
 */
export async function rebaseProgress(
  target: Pool,
  consumer: string,
  topic: string,
  offsets: readonly PlaceOffset[],
): Promise<void> {
  const topicPartitions = offsets.map(({ topicPartition }) => topicPartition)
  await ensureProgress(target, consumer, topic, topicPartitions)
  for (const { topicPartition, offset } of offsets) {
    if (consumer === CONSUMERS.windows) {
      await target.query('select tidemark.skip_window_gap($1, $2, $3)', [topic, topicPartition, offset])
    } else {
      await target.query('select tidemark.rebase($1, $2, $3, $4)', [consumer, topic, topicPartition, offset])
    }
  }
}

/** Creates missing rows of progress. A consumer that continues at a later offset needs one, also in an empty target. */
export async function ensureProgress(
  target: Pool,
  consumer: string,
  topic: string,
  topicPartitions: readonly number[],
): Promise<void> {
  await target.query(
    `insert into tidemark.progress (consumer, topic, topic_partition)
     select $1, $2, unnest($3::integer[])
     on conflict do nothing`,
    [consumer, topic, topicPartitions],
  )
}
