import { type Consumer, IS_CONTROL, IS_TRANSACTIONAL, type RecordsBatch } from '@platformatic/kafka'
import type { EventRecord } from './event.ts'

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>

/** What a broker sent for one topic partition. */
export type FetchedPartition = FetchResponse['responses'][number]['partitions'][number]

/**
 * The bit of a record batch's attributes that is set when its records have the time at which the broker appended them.
 */
const logAppendTime = 0b1000

/**
 * Calls `take` with every committed record from offset `from` on, in order. Returns the offset to fetch next. Control
 * records and records of aborted transactions are skipped.
 */
export function readFetched(
  { records: batches, abortedTransactions }: Pick<FetchedPartition, 'records' | 'abortedTransactions'>,
  from: bigint,
  take: (record: EventRecord) => void,
): bigint {
  const isAborted = makeAbortFilter(abortedTransactions ?? [])
  let next = from
  for (const batch of batches ?? []) {
    const end = lastOffset(batch) + 1n
    const skip = isAborted(batch) || (batch.attributes & IS_CONTROL) !== 0
    if (!skip) readBatch(batch, Number(from), take)
    if (end > next) next = end
  }
  return next
}

function readBatch(batch: RecordsBatch, from: number, take: (record: EventRecord) => void): void {
  const timestampType = batch.attributes & logAppendTime ? 'LOG_APPEND_TIME' : 'CREATE_TIME'
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

/**
 * Recognizes aborted records, which the client drops only when the end of their transaction is in the same response.
 * The rule is that of Kafka's own consumer: a producer's records are aborted from the listed offset until its abort
 * marker.
 */
function makeAbortFilter(
  transactions: { producerId: bigint; firstOffset: bigint }[],
): (batch: RecordsBatch) => boolean {
  const upcoming = transactions.toSorted((a, b) => Number(a.firstOffset - b.firstOffset))
  const aborted = new Set<bigint>()
  return (batch) => {
    while (upcoming.length > 0 && upcoming[0]!.firstOffset <= lastOffset(batch))
      aborted.add(upcoming.shift()!.producerId)
    if ((batch.attributes & IS_CONTROL) === 0)
      return (batch.attributes & IS_TRANSACTIONAL) !== 0 && aborted.has(batch.producerId)
    if (isAbortMarker(batch)) aborted.delete(batch.producerId)
    return false
  }
}

/** The key of a control record is its version and its type, two bytes each. Type 0 means abort. */
function isAbortMarker({ records }: RecordsBatch): boolean {
  return records[0]?.key?.readInt16BE(2) === 0
}

function lastOffset(batch: RecordsBatch): bigint {
  return batch.firstOffset + BigInt(batch.lastOffsetDelta)
}
