import type { RecordsBatch } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { readFetched } from './fetched-records.ts'

const transactional = 0b1_0000
const control = 0b10_0000

function batchOf(firstOffset: number, count: number, overrides: Partial<RecordsBatch> = {}): RecordsBatch {
  const records = Array.from({ length: count }, (_, offsetDelta) => ({
    length: 0,
    attributes: 0,
    timestampDelta: BigInt(offsetDelta),
    offsetDelta,
    key: null,
    value: Buffer.from('v'),
    headers: [],
  }))
  return {
    firstOffset: BigInt(firstOffset),
    lastOffsetDelta: count - 1,
    firstTimestamp: 1000n,
    maxTimestamp: 2000n,
    attributes: 0,
    producerId: -1n,
    records,
    ...overrides,
  } as RecordsBatch
}

/** The record that ends a transaction; type 0 aborts it, 1 commits it. */
function marker(offset: number, producerId: bigint, type: 0 | 1): RecordsBatch {
  const batch = batchOf(offset, 1, { attributes: transactional | control, producerId })
  batch.records[0]!.key = Buffer.from([0, 0, 0, type])
  return batch
}

function read(
  records: RecordsBatch[],
  from = 0,
  abortedTransactions: { producerId: bigint; firstOffset: bigint }[] = [],
) {
  const taken: [offset: number, timestamp: number, timestampType: string][] = []
  const next = readFetched({ records, abortedTransactions }, BigInt(from), ({ offset, timestamp, timestampType }) => {
    taken.push([offset, timestamp, timestampType])
  })
  return { next: Number(next), offsets: taken.map(([offset]) => offset), taken }
}

test('records of a batch that began before the wanted offset are passed over', () => {
  expect(read([batchOf(10, 3), batchOf(13, 2)], 12)).toMatchObject({ next: 15, offsets: [12, 13, 14] })
})

test('the next offset lies behind a batch even if compaction has removed its last records', () => {
  const compacted = batchOf(0, 2, { lastOffsetDelta: 9 })

  expect(read([compacted])).toMatchObject({ next: 10, offsets: [0, 1] })
})

test('the time is the one the producer gave, or the one the broker appended at', () => {
  const appended = batchOf(1, 1, { attributes: 0b1000 })

  expect(read([batchOf(0, 1), appended]).taken).toEqual([
    [0, 1000, 'CREATE_TIME'],
    [1, 2000, 'LOG_APPEND_TIME'],
  ])
})

test('control records are passed over', () => {
  const batches = [batchOf(0, 1, { attributes: transactional, producerId: 5n }), marker(1, 5n, 1)]

  expect(read(batches)).toMatchObject({ next: 2, offsets: [0] })
})

test('an aborted transaction is passed over, also when its end is not there yet; others are not', () => {
  const mine = { attributes: transactional, producerId: 5n }
  const other = { attributes: transactional, producerId: 6n }
  const batches = [
    batchOf(0, 1, mine),
    marker(1, 5n, 1),
    batchOf(2, 2, mine),
    batchOf(4, 1, other),
    marker(5, 5n, 0),
    batchOf(6, 1, mine),
    marker(7, 5n, 1),
    batchOf(8, 1, mine),
    batchOf(9, 1),
  ]
  const aborted = [8n, 2n].map((firstOffset) => ({ producerId: 5n, firstOffset }))

  expect(read(batches, 0, aborted)).toMatchObject({ next: 10, offsets: [0, 4, 6, 9] })
})

test('nothing fetched leaves the offset where it is', () => {
  expect(read([], 7)).toMatchObject({ next: 7, offsets: [] })
})
