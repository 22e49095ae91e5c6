import type pg from 'pg'
import type { BatchPlan } from '#core/apply/batch-plan.ts'

/**
 * Follows the initial snapshot through a topic partition: notes a new attempt, and after the first streamed beacon
 * that it has ended. When it has ended in all of them, rows that only an interrupted attempt read are taken away.
 */
export async function followInitialRead(client: pg.PoolClient, topicPartition: number, plan: BatchPlan): Promise<void> {
  const { initialReads, beacon } = plan
  for (const { epoch, lsn } of initialReads) {
    await client.query('select tidemark.begin_initial_read($1, $2, $3)', [epoch, topicPartition, lsn])
  }
  if (beacon !== undefined) {
    await client.query('select tidemark.finish_initial_read($1, $2, $3)', [
      beacon.epoch,
      topicPartition,
      beacon.topicPartitions,
    ])
  }
}
