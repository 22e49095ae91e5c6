import type { MSKEvent, MSKRecord } from 'aws-lambda'
import { expect, test } from 'vitest'
import type { ApplyOutcome } from '#adapters/postgres/delivery/apply-transaction.ts'
import { type Effect, makeApplyLatestState } from './apply-latest-state.ts'
import type { DeliveredRecord } from './delivered-record.ts'

const record = (topic: string, partition: number, offset: number, value?: string): MSKRecord => ({
  topic,
  partition,
  offset,
  timestamp: 1000,
  timestampType: 'CREATE_TIME',
  headers: [],
  ...({ value: value && Buffer.from(value).toString('base64') } as { key: string; value: string }),
})

const eventOf = (...records: MSKRecord[]): MSKEvent => ({
  eventSource: 'aws:kafka',
  eventSourceArn: 'arn:aws:kafka:us-east-1:000000000000:cluster/c/1',
  bootstrapServers: '127.0.0.1:9092',
  records: Object.groupBy(records, ({ topic, partition }) => `${topic}-${partition}`) as MSKEvent['records'],
})

const applied = (effect: Partial<Effect>): ApplyOutcome<Effect> => ({
  kind: 'applied',
  duplicates: 0,
  effect: { changes: 1, quarantined: 0, ...effect },
})

function setUp(outcomeOf: (topicPartition: number) => ApplyOutcome<Effect>, now = () => 5_000) {
  const calls: { topicPartition: number; records: readonly DeliveredRecord[] }[] = []
  const lines: string[] = []
  const captureRequests: unknown[] = []
  const handler = makeApplyLatestState({
    consumers: new Map([
      [
        'changes',
        {
          consumer: 'latest-state',
          async apply({ topicPartition }, records) {
            calls.push({ topicPartition, records })
            return outcomeOf(topicPartition)
          },
        },
      ],
    ]),
    waiting: async () => ['changes-3'],
    countNotCaptured: async () => 2,
    requestCapture: async (payload) => {
      captureRequests.push(payload)
    },
    now,
    print: (line) => lines.push(line),
  })
  return { handler, calls, lines, metrics: () => JSON.parse(lines.at(-1)!), captureRequests }
}

test('each topic partition is applied by itself, tombstones and all', async () => {
  const { handler, calls } = setUp(() => applied({}))

  await handler(eventOf(record('changes', 0, 7, 'a'), record('changes', 1, 3), record('changes', 0, 8, 'ü')))

  expect(calls.map(({ topicPartition, records }) => [topicPartition, records.map((r) => [r.offset, r.value])])).toEqual(
    [
      [
        0,
        [
          [7, 'a'],
          [8, 'ü'],
        ],
      ],
      [1, [[3, undefined]]],
    ],
  )
})

test('a topic partition that is stopped is reported whole, the others are applied', async () => {
  const { handler, calls, lines } = setUp((p) =>
    p === 0 ? { kind: 'stopped', atOffset: 7, reason: 'a gap' } : applied({}),
  )

  const response = await handler(eventOf(record('changes', 0, 9), record('changes', 1, 3), record('changes', 0, 10)))

  expect(response).toEqual({
    batchItemFailures: [
      { itemIdentifier: { partition: 'changes-0', offset: 9 } },
      { itemIdentifier: { partition: 'changes-0', offset: 10 } },
    ],
  })
  expect(calls).toHaveLength(2)
  expect(lines[0]).toContain('changes-0 is stopped at offset 7: a gap')
  expect(JSON.parse(lines[1]!)).toMatchObject({ FailedTopicPartitions: 1, AppliedChanges: 1 })
})

test('a topic partition whose records cannot be applied does not fail the others', async () => {
  const { handler, calls } = setUp((p) => {
    if (p === 0) throw new Error('no connection')
    return applied({})
  })

  const response = await handler(eventOf(record('changes', 0, 9), record('changes', 1, 3)))

  expect(response.batchItemFailures).toEqual([{ itemIdentifier: { partition: 'changes-0', offset: 9 } }])
  expect(calls).toHaveLength(2)
})

test('an event that is applied reports no failures', async () => {
  const { handler } = setUp(() => applied({}))
  expect(await handler(eventOf(record('changes', 0, 9)))).toEqual({ batchItemFailures: [] })
})

test('a record of a topic that nobody consumes is refused', async () => {
  const { handler, lines } = setUp(() => applied({}))

  const response = await handler(eventOf(record('other', 0, 0)))

  expect(response.batchItemFailures).toEqual([{ itemIdentifier: { partition: 'other-0', offset: 0 } }])
  expect(lines[0]).toContain('topic other')
})

test('an event without records is for the topic partitions in which something is to be applied again', async () => {
  const { handler, calls } = setUp(() => applied({}))

  expect(await handler({ ...eventOf(), records: {} })).toEqual({ batchItemFailures: [] })

  expect(calls).toEqual([{ topicPartition: 3, records: [] }])
})

test('tables that are not captured any more are a metric of each minute, not of each event', async () => {
  const { handler, metrics } = setUp(() => applied({}))

  await handler({ ...eventOf(), records: {} })
  expect(metrics()).toMatchObject({ NotCapturedTables: 2 })

  await handler(eventOf(record('changes', 0, 0)))
  expect(metrics()).not.toHaveProperty('NotCapturedTables')
})

test('latency from commit to visible is a metric with values and counts', async () => {
  const { handler, metrics } = setUp(() => applied({ changes: 3, committedAtMs: [4_988, 4_988, 4_000] }))

  await handler(eventOf(record('changes', 0, 0)))

  expect(metrics()).toMatchObject({ AppliedChanges: 3, CommitToVisibleMs: { Values: [12, 1000], Counts: [2, 1] } })
})

test('each stage is measured of the newest change of a topic partition, and the stages make up its latency', async () => {
  const newest = { committedAtMs: 4_000, readAtMs: 4_003, sentAtMs: 4_007 }
  const nowMs = [4_016, 4_030, 4_030]
  const { handler, metrics } = setUp(
    () => applied({ changes: 2, committedAtMs: [3_990, 4_000], newest }),
    () => nowMs.shift() ?? 4_030,
  )

  await handler(eventOf(record('changes', 0, 0), record('changes', 0, 1)))

  expect(metrics()).toMatchObject({
    CommitToVisibleMs: { Values: [40, 30], Counts: [1, 1] },
    CaptureMs: { Values: [3], Counts: [1] },
    TopicMs: { Values: [4], Counts: [1] },
    MappingMs: { Values: [9], Counts: [1] },
    ApplyMs: { Values: [14], Counts: [1] },
  })
})

test('no stage is measured where the newest change does not say its times', async () => {
  const { handler, metrics } = setUp(() => applied({ changes: 1, committedAtMs: [4_988] }))

  await handler(eventOf(record('changes', 0, 0)))

  for (const stage of ['CaptureMs', 'TopicMs', 'MappingMs', 'ApplyMs']) expect(metrics()).not.toHaveProperty(stage)
})

test('a table that awaits capture has capture requested at once', async () => {
  const { handler, captureRequests } = setUp(() => applied({ awaitsCapture: true }))
  await handler(eventOf(record('changes', 0, 0)))
  expect(captureRequests).toEqual([{ resync: [] }])
})

test('a resync is requested once for each table that needs one', async () => {
  const { handler, captureRequests } = setUp(() => applied({ resyncs: ['public.orders'] }))
  await handler(eventOf(record('changes', 0, 0), record('changes', 1, 0)))
  expect(captureRequests).toEqual([{ resync: ['public.orders'] }])
})

test('the halves of a key change come with each other’s key', async () => {
  const { handler, calls } = setUp(() => applied({}))
  const oldKey = [...Buffer.from('{"id":"ü"}')].map((byte) => (byte > 127 ? byte - 256 : byte))

  await handler(eventOf({ ...record('changes', 0, 7, 'a'), headers: [{ '__debezium.oldkey': oldKey }] }))

  expect(calls[0]!.records[0]!.headers).toEqual({ oldKey: '{"id":"ü"}', newKey: undefined })
})
