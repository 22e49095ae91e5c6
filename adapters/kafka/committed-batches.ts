import { type Consumer, IS_CONTROL, IS_TRANSACTIONAL, type RecordsBatch } from '@platformatic/kafka'

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>

/** What a broker sent for one topic partition. */
export type FetchedPartition = FetchResponse['responses'][number]['partitions'][number]

/**
 * Calls `take` with every batch of committed records, in order. Returns the offset to fetch next, `from` at least.
 * Control records and records of aborted transactions are skipped. A batch may begin before `from`, because brokers send
 * whole batches.
 */
export function eachCommittedBatch(
  { records: batches, abortedTransactions }: Pick<FetchedPartition, 'records' | 'abortedTransactions'>,
  from: bigint,
  take: (batch: RecordsBatch) => void,
): bigint {
  const isAborted = makeAbortFilter(abortedTransactions ?? [])
  let next = from
  for (const batch of batches ?? []) {
    const end = lastOffset(batch) + 1n
    const skip = isAborted(batch) || (batch.attributes & IS_CONTROL) !== 0
    if (!skip) take(batch)
    if (end > next) next = end
  }
  return next
}

/**
 * The bit of a record batch's attributes that is set when its records have the time at which the broker appended them.
 */
const LOG_APPEND_TIME = 0b1000

/** Whether the records of the batch have the time at which the broker appended them, which is the batch's `maxTimestamp`. */
export const hasAppendTime = ({ attributes }: RecordsBatch): boolean => (attributes & LOG_APPEND_TIME) !== 0

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
