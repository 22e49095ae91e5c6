import { expect, test } from 'vitest'
import { makeChunk } from '#test-support/kafka/record-chunk.ts'
import { formBatch } from '../polling/batch.ts'
import { RecordQueue } from '../polling/record-queue.ts'
import { readBatchResponse } from './batch-response.ts'

function queueOf(...offsets: number[]): RecordQueue {
  const queue = new RecordQueue()
  queue.push(
    makeChunk(
      offsets.map(() => '{}'),
      offsets,
      offsets.map(() => 0),
      0,
    ),
  )
  return queue
}

const batch = formBatch(
  [
    { name: 't-0', queue: queueOf(100, 101, 105) },
    { name: 't-1', queue: queueOf(7) },
  ],
  { records: 100, bytes: 1000 },
  { head: '', tail: '' },
)!

const failure = (partition: unknown, offset: unknown) => ({ itemIdentifier: { partition, offset } })
const read = (response: unknown) => readBatchResponse(Buffer.from(JSON.stringify(response)), batch)

test.each([[null], [{}], [{ batchItemFailures: null }], [{ batchItemFailures: [] }], ['done']])(
  '%j means that all records are processed',
  (response) => {
    expect(read(response)).toEqual({ result: 'done' })
  },
)

test('an empty response means that all records are processed', () => {
  expect(readBatchResponse(Buffer.alloc(0), batch)).toEqual({ result: 'done' })
})

test('the failed records of each topic partition are returned', () => {
  const batchItemFailures = [failure('t-0', 105), failure('t-0', 101), failure('t-1', 7)]

  expect(read({ batchItemFailures })).toEqual({
    result: 'partly',
    failed: new Map([
      ['t-0', new Set([105, 101])],
      ['t-1', new Set([7])],
    ]),
  })
})

test.each([
  [[failure('t-2', 100)]],
  [[failure('t-0', 102)]],
  [[failure('t-0', '101')]],
  [[failure('t-0', 101), {}]],
  [[null]],
  ['t-0'],
])('%j is not in the batch, so all of it is tried again', (batchItemFailures) => {
  expect(read({ batchItemFailures }).result).toBe('failed')
})

test('a response that is not JSON fails the batch', () => {
  expect(readBatchResponse(Buffer.from('{'), batch)).toEqual({ result: 'failed', reason: 'the response is not JSON' })
})
