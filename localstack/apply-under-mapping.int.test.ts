import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/latest-state.ts'
import { makeApplyLatestState } from '#lambdas/apply-latest-state/apply-latest-state.ts'
import { ChangeLog, ordersContract } from '#test-support/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/database.ts'
import { eventually } from '#test-support/eventually.ts'
import { failure, success, useMappedTopic } from '#test-support/mapped-topic.ts'

const topic = useMappedTopic()
let target: TestDatabase
beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

const topicPartitions = 2
const ids = 40

/** Changes of the rows of one topic partition, several of each. */
function changesOf(topicPartition: number): ChangeLog {
  const log = new ChangeLog().contract(ordersContract({ topicPartitions }))
  for (let lsn = 10; lsn < 10 + 5 * ids; lsn++) {
    const id = topicPartitions * (lsn % ids) + topicPartition
    const row = { id, name: `at ${lsn}`, amount: null }
    if (lsn % 7 === 0) log.delete({ id }, { lsn })
    else log.update(row, { lsn })
  }
  return log
}

/** Of a batch's first invocation, by its offset. Drawn anew each time, one batch could fail until its retries are too far apart. */
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
        const applied = await apply(JSON.parse(payload.toString())).then(
          () => true,
          () => false,
        )
        return applied && fate !== 'answer lost' ? success : failure
      },
      { BatchSize: 7 },
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
