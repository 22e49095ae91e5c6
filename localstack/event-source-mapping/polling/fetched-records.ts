import type { RecordsBatch } from '@platformatic/kafka'
import { eachCommittedBatch, type FetchedPartition, hasAppendTime } from '#adapters/kafka/committed-batches.ts'
import type { EventRecord } from './event.ts'

/**
 * Calls `take` with every committed record from offset `from` on, in order. Returns the offset to fetch next. Control
 * records and records of aborted transactions are skipped.
 */
export const readFetched = (
  fetched: Pick<FetchedPartition, 'records' | 'abortedTransactions'>,
  from: bigint,
  take: (record: EventRecord) => void,
): bigint => eachCommittedBatch(fetched, from, (batch) => readBatch(batch, Number(from), take))

function readBatch(batch: RecordsBatch, from: number, take: (record: EventRecord) => void): void {
  const timestampType = hasAppendTime(batch) ? 'LOG_APPEND_TIME' : 'CREATE_TIME'
  const firstOffset = Number(batch.firstOffset)
  const firstTimestamp = Number(batch.firstTimestamp)
  for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
    const offset = firstOffset + offsetDelta
    // The broker sends whole record batches, also when they begin before the requested offset.
    if (offset < from) continue
    const timestamp =
      timestampType === 'CREATE_TIME' ? firstTimestamp + Number(timestampDelta) : Number(batch.maxTimestamp)
    take({ offset, timestamp, timestampType, key, value, headers })
  }
}
