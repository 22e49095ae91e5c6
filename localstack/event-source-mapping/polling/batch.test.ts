import fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeChunk } from '#test-support/kafka/record-chunk.ts'
import { batchDueAt, formBatch, recordLimitBytes, type Source } from './batch.ts'
import { makeEventFrame, makeRecordEncoder } from './event.ts'
import { RecordQueue, selectRecords } from './record-queue.ts'

const frame = makeEventFrame('arn', '127.0.0.1:9092')
const limits = { records: 100, bytes: 6 * 1024 * 1024 }

/** A source whose chunks hold records with values of the given lengths, offsets counted from 0. */
function sourceOf(name: string, chunks: number[][], arrivedAt = 0): Source {
  const encode = makeRecordEncoder('t', Number(name.split('-')[1]))
  const queue = new RecordQueue()
  let offset = 0
  for (const lengths of chunks.filter(({ length }) => length > 0)) {
    const offsets = lengths.map(() => offset++)
    const records = lengths.map((length, index) =>
      encode({
        offset: offsets[index]!,
        timestamp: 0,
        timestampType: 'CREATE_TIME',
        key: null,
        value: Buffer.alloc(length, 'x'),
        headers: [],
      }),
    )
    queue.push(
      makeChunk(
        records,
        offsets,
        offsets.map(() => 0),
        arrivedAt,
      ),
    )
  }
  return { name, queue }
}

const offsetsOf = (payload: Buffer, name: string): number[] =>
  JSON.parse(payload.toString()).records[name]?.map(({ offset }: { offset: number }) => offset) ?? []

const chunksOf = fc.array(fc.array(fc.nat(300), { maxLength: 6 }), { maxLength: 5 })

test('every record is delivered once, in order, in events within both limits', () => {
  fc.assert(
    fc.property(
      chunksOf,
      chunksOf,
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 700, max: 2000 }),
      (a, b, records, bytes) => {
        const sources = [sourceOf('t-0', a), sourceOf('t-1', b)]
        const delivered: Record<string, number[]> = { 't-0': [], 't-1': [] }

        for (
          let batch = formBatch(sources, { records, bytes }, frame);
          batch;
          batch = formBatch(sources, { records, bytes }, frame)
        ) {
          expect(batch.payload.length).toBeLessThanOrEqual(bytes)
          expect(batch.records).toBeLessThanOrEqual(records)
          for (const name of ['t-0', 't-1']) delivered[name]!.push(...offsetsOf(batch.payload, name))
        }

        expect(delivered['t-0']).toEqual(a.flat().map((_, offset) => offset))
        expect(delivered['t-1']).toEqual(b.flat().map((_, offset) => offset))
        for (const { queue } of sources) expect([queue.count, queue.bytes]).toEqual([0, 0])
      },
    ),
  )
})

test('an event holds several topic partitions, the one that waited longest first', () => {
  const sources = [sourceOf('t-0', [[1]], 20), sourceOf('t-1', [[1, 1]], 10)]

  const batch = formBatch(sources, limits, frame)!

  expect(Object.keys(JSON.parse(batch.payload.toString()).records)).toEqual(['t-1', 't-0'])
  expect(batch.records).toBe(3)
})

test('the limit is exact, for one topic partition and for two', () => {
  const one = () => [sourceOf('t-0', [[5], [7]])]
  const two = () => [sourceOf('t-0', [[5]]), sourceOf('t-1', [[7]])]

  for (const sources of [one, two]) {
    const { length } = formBatch(sources(), limits, frame)!.payload
    expect(formBatch(sources(), { records: 2, bytes: length }, frame)!.records).toBe(2)
    expect(formBatch(sources(), { records: 2, bytes: length - 1 }, frame)!.records).toBe(1)
  }
})

test('a batch that is full leaves other topic partitions to other invocations', () => {
  const sources = [sourceOf('t-0', [[1000, 1000]], 1), sourceOf('t-1', [[1]], 2)]

  expect([...formBatch(sources, { records: 10, bytes: 2000 }, frame)!.parts.keys()]).toEqual(['t-0'])
})

test('6 MB are counted as they are sent: base64 and JSON included', () => {
  const source = sourceOf('t-0', [Array(20).fill(600_000)])

  const batch = formBatch([source], limits, frame)!

  expect(batch.records).toBe(7)
  expect(batch.payload.length).toBeLessThanOrEqual(limits.bytes)
  expect(batch.payload.length + 800_000).toBeGreaterThan(limits.bytes)
})

test('the longest record an event can carry is delivered; one byte more holds its topic partition, not the others', () => {
  const overhead = formBatch([sourceOf('t-0', [[0]])], limits, frame)!.payload.length
  const longest = Math.floor((limits.bytes - overhead) / 4) * 3
  const fitting = sourceOf('t-0', [[longest]])
  const tooLong = sourceOf('t-0', [[longest + 3]])

  expect(fitting.queue.bytes - 1).toBeLessThanOrEqual(recordLimitBytes('t-0', limits.bytes, frame))
  expect(tooLong.queue.bytes - 1).toBeGreaterThan(recordLimitBytes('t-0', limits.bytes, frame))
  expect(offsetsOf(formBatch([fitting], limits, frame)!.payload, 't-0')).toEqual([0])
  const batch = formBatch([tooLong, sourceOf('t-1', [[1]])], limits, frame)!
  expect([...batch.parts.keys()]).toEqual(['t-1'])
  expect(tooLong.queue.count).toBe(1)
  expect(formBatch([tooLong], limits, frame)).toBeUndefined()
})

test('the rest of a batch begins at the record asked for, across fetches', () => {
  const source = sourceOf('t-0', [
    [1, 1, 1],
    [1, 1],
  ])
  const run = formBatch([source], limits, frame)!.parts.get('t-0')!

  const from = (first: number) => selectRecords(run, (offset) => offset >= first)

  expect(from(0)).toEqual(run)
  expect(from(2)).toMatchObject({ count: 3, firstOffset: 2, lastOffset: 4 })
  expect(from(4)).toMatchObject({ count: 1, firstOffset: 4, lastOffset: 4 })
})

test('a batch is due when its oldest record has waited for the window', () => {
  const sources = [sourceOf('t-0', [[1]], 1000), sourceOf('t-1', [[1]], 900)]

  expect(batchDueAt(sources, 500, limits)).toBe(1400)
  expect(batchDueAt(sources, 0, limits)).toBe(900)
  expect(batchDueAt([sourceOf('t-0', [])], 500, limits)).toBeUndefined()
})

test('a full batch is due at once, by number and by length', () => {
  const sources = [sourceOf('t-0', [[1, 1]], 1000), sourceOf('t-1', [[1]], 1000)]

  expect(batchDueAt(sources, 500, { ...limits, records: 3 })).toBe(1000)
  expect(batchDueAt(sources, 500, { ...limits, bytes: 300 })).toBe(1000)
})
