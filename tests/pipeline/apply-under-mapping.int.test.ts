import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { makeApplyLatestState } from '#lambdas/apply-latest-state/apply-latest-state.ts'
import { ChangeLog, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { eventually } from '#test-support/eventually.ts'
import { failure, success, useMappedTopic } from '#test-support/kafka/mapped-topic.ts'

const topic = useMappedTopic()
let target: TestDatabase
beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

const topicPartitions = 2
const ids = 40

/** Changes of the rows of one topic partition, with several of each row. */
function changesOf(topicPartition: number): ChangeLog {
  const log = new ChangeLog(topicPartition).contract(ordersContract({ topicPartitions }))
  for (let lsn = 10; lsn < 10 + 5 * ids; lsn++) {
    const id = topicPartitions * (lsn % ids) + topicPartition
    const row = { id, name: `at ${lsn}`, amount: null }
    if (lsn % 7 === 0) log.delete({ id }, { lsn })
    else log.update(row, { lsn })
  }
  return log
}

/**
 * The outcome of a batch's first invocation, chosen by its offset. If it were random at each invocation, one batch
 * could fail until its retries are too far apart.
 */
const fates = ['not invoked', 'accepted', 'answer lost', 'accepted', 'accepted'] as const

const query = async (text: string) => (await target.pool.query(text)).rows

test.each([1, 2] as const)(
  'with %d batches of a topic partition in flight the latest state is exact',
  async (batchesInFlight) => {
    const logs = [changesOf(0), changesOf(1)]
    await topic.create(topicPartitions)
    await topic.produce(
      logs.flatMap(({ records }, partition) => records.map(({ value }) => ({ partition, ...(value && { value }) }))),
    )
    const apply = makeApplyLatestState({
      consumers: new Map([[topic.name, { consumer: 'tidemark-latest-state', ...makeLatestState(target.pool) }]]),
      waiting: async () => [],
      countNotCaptured: async () => 0,
      requestCapture: async () => undefined,
      now: Date.now,
      print: () => undefined,
    })
    const met = new Set<string>()

    topic.start(
      async ({ records }, payload) => {
        const { partition, offset } = Object.values(records)[0]![0]!
        const batch = `${partition}-${offset}`
        const fate = met.has(batch) ? undefined : fates[offset % fates.length]
        met.add(batch)
        if (fate === 'not invoked') return failure
        const response = await apply(JSON.parse(payload.toString()))
        return fate === 'answer lost' ? failure : { ...success, payload: Buffer.from(JSON.stringify(response)) }
      },
      {
        BatchSize: 7,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        ProvisionedPollerConfig: { MinimumPollers: 1, MaximumPollers: 4 },
      },
      { batchesInFlight },
    )

    await topic.committed(logs.map(({ records }) => records.length))
    const rows = await query('select id::int, name from public.orders order by id')
    const last = Array.from({ length: topicPartitions * ids }, (_, id) => {
      const lsn = 10 + 4 * ids + ((Math.floor(id / topicPartitions) - 10 + ids) % ids)
      return lsn % 7 === 0 ? [] : [{ id, name: `at ${lsn}` }]
    })
    expect(rows).toEqual(last.flat())
    await eventually(async () => expect(await query('select reason from tidemark.stop')).toEqual([]))
  },
)

test('a topic partition that is stopped holds no other, whose records go on', async () => {
  const logs = [changesOf(0), changesOf(1)]
  await topic.create(topicPartitions)
  // The topic does not have the first records any more, so progress must be set back before anything is applied.
  await query(`insert into tidemark.progress (consumer, topic, topic_partition, next_offset, last_digest)
    values ('tidemark-latest-state', '${topic.name}', 0, 3, 'another record')`)
  const apply = makeApplyLatestState({
    consumers: new Map([[topic.name, { consumer: 'tidemark-latest-state', ...makeLatestState(target.pool) }]]),
    waiting: async () => [],
    countNotCaptured: async () => 0,
    requestCapture: async () => undefined,
    now: Date.now,
    print: () => undefined,
  })
  topic.start(
    async (_event, payload) => {
      const response = await apply(JSON.parse(payload.toString()))
      return { ...success, payload: Buffer.from(JSON.stringify(response)) }
    },
    {
      BatchSize: 1000,
      MaximumBatchingWindowInSeconds: 1,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ProvisionedPollerConfig: { MinimumPollers: 1, MaximumPollers: 1 },
    },
  )
  const produce = (from: number, to: number) =>
    topic.produce(
      logs.flatMap(({ records }, partition) =>
        records.slice(from, to).map(({ value }) => ({ partition, ...(value && { value }) })),
      ),
    )

  await produce(0, 20)
  await eventually(async () => expect((await topic.groupOffsets())[1]).toBe(20))
  await produce(20, 40)
  await eventually(async () => expect((await topic.groupOffsets())[1]).toBe(40))

  expect((await topic.groupOffsets())[0]).toBe(-1)
  const [stop] = await query('select topic_partition, at_offset::int, reason from tidemark.stop')
  expect(stop).toMatchObject({ topic_partition: 0, reason: expect.stringContaining('is not the one applied before') })
})
