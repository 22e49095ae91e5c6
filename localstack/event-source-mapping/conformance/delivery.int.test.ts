import { expect, test } from 'vitest'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import { eventually } from '#test-support/eventually.ts'
import {
  collector,
  failure,
  type Invoke,
  records,
  success,
  upTo,
  useMappedTopic,
} from '#test-support/kafka/mapped-topic.ts'
import type { RunningEventSourceMapping } from '../event-source-mapping.ts'

// Source of each test: a page of the AWS Lambda developer guide.

const topic = useMappedTopic()

// "Using Lambda with Amazon MSK": "After Lambda processes each batch, it commits the offsets of the messages in that
// batch".
test('offsets are committed after the function has succeeded, not before', async () => {
  await topic.create(1)
  await topic.produce(records(0, 3))
  const answers: ((answer: InvocationAnswer) => void)[] = []
  const { mapping } = topic.start(() => new Promise((resolve) => answers.push(resolve)))

  await eventually(() => expect(answers).toHaveLength(1))
  expect(await topic.groupOffsets()).toEqual([-1])
  answers[0]!(failure)
  await eventually(() => expect(answers).toHaveLength(2))
  expect(await topic.groupOffsets()).toEqual([-1])
  expect(mapping.metrics()).toMatchObject({ batches: 2, failedBatches: 1, records: 6, lastError: 'null' })
  answers[1]!(success)

  await topic.committed([3])
  const counts = { polled: 3, filteredOut: 0, invoked: 6, failedInvocations: 1, deliveredToDestination: 0, dropped: 0 }
  const offsets = { committed: 3, committedOffset: 3, logEndOffset: 3, lagRecords: 0 }
  const expected = {
    batches: 2,
    records: 6,
    failedBatches: 1,
    throttledBatches: 0,
    failedRecords: 3,
    topicPartitions: [{ topicPartition: `${topic.name}-0`, ...counts, ...offsets }],
  }
  await eventually(() => expect(mapping.metrics()).toEqual(expected))
})

// The same: "If your function returns an error for any of the messages in a batch, Lambda retries the whole batch".
test('a failing batch is repeated as it is, and nothing of its topic partition overtakes it', async () => {
  await topic.create(2)
  await topic.produce(records(0, 3))
  let failures = 3
  const batches: number[][] = []
  topic.start(async ({ records }) => {
    const own = records[`${topic.name}-0`]
    if (own === undefined) return success
    batches.push(own.map(({ offset }) => offset))
    return failures-- > 0 ? failure : success
  })
  await eventually(() => expect(batches).toHaveLength(1))

  await topic.produce([...records(0, 2), ...records(1, 4)])

  await topic.committed([5, 4])
  expect(batches).toEqual([
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
    [3, 4],
  ])
})

// The same: "Lambda reads the messages sequentially for each partition"; two batches of one at once are not documented.
test('topic partitions are in flight at once, never two batches of one', async () => {
  await topic.create(4)
  const active = new Map<string, number>()
  let mostAtOnce = 0
  let overlap = false
  const { offsets, invoke } = collector()
  topic.start(
    async (event, payload) => {
      const names = Object.keys(event.records)
      for (const name of names) {
        overlap ||= active.has(name)
        active.set(name, 1)
      }
      mostAtOnce = Math.max(mostAtOnce, active.size)
      await invoke(event, payload)
      await new Promise((resolve) => setTimeout(resolve, 5))
      for (const name of names) active.delete(name)
      return success
    },
    { BatchSize: 7 },
  )

  for (let round = 0; round < 10; round++) {
    await topic.produce([0, 1, 2, 3].flatMap((partition) => records(partition, 10)))
  }

  await topic.committed([100, 100, 100, 100])
  expect(overlap).toBe(false)
  expect(mostAtOnce).toBeGreaterThan(1)
  for (const partition of [0, 1, 2, 3]) expect(offsets(partition)).toEqual(upTo(100))
})

// "Configuring error handling controls for Kafka event sources", PartialBatchResponse.
test('only what the function reports is tried again', async () => {
  await topic.create(1)
  await topic.produce(records(0, 5))
  const batches: number[][] = []
  topic.start(
    async ({ records }) => {
      batches.push(records[`${topic.name}-0`]!.map(({ offset }) => offset))
      const failures = batches.length === 1 ? [{ itemIdentifier: { partition: `${topic.name}-0`, offset: 3 } }] : []
      return { ...success, payload: Buffer.from(JSON.stringify({ batchItemFailures: failures })) }
    },
    { FunctionResponseTypes: ['ReportBatchItemFailures'], ProvisionedPollerConfig: { MaximumPollers: 2 } },
  )

  await topic.committed([5])
  expect(batches).toEqual([upTo(5), [3, 4]])
})

// "Customizable consumer group ID": with other members in the group, Kafka distributes messages across all of them.
test('two mappings of a group share the topic partitions; when one leaves, the other takes over', async () => {
  await topic.create(4)
  const active = new Set<string>()
  let overlap = false
  const collect = () => {
    const { invoke, ...rest } = collector()
    const exclusive: Invoke = async (event, payload) => {
      const names = Object.keys(event.records)
      overlap ||= names.some((name) => active.has(name))
      for (const name of names) active.add(name)
      await new Promise((resolve) => setTimeout(resolve, 20))
      for (const name of names) active.delete(name)
      return invoke(event, payload)
    }
    return { ...rest, invoke: exclusive }
  }
  const produce = () => topic.produce([0, 1, 2, 3].flatMap((partition) => records(partition, 20)))
  const owned = (mapping: RunningEventSourceMapping) => mapping.metrics().topicPartitions.length
  const [one, other] = [collect(), collect()]

  const { mapping: first, events } = topic.start(one.invoke, { BatchSize: 5 })
  await eventually(() => expect(owned(first)).toBe(4))
  events.length = 0
  await produce()
  const second = topic.start(other.invoke, { BatchSize: 5 }).mapping
  await eventually(() => expect([owned(first), owned(second)]).toEqual([2, 2]))
  await produce()
  await topic.committed([40, 40, 40, 40])
  await first.stop()
  await produce()
  await topic.committed([60, 60, 60, 60])

  expect(owned(second)).toBe(4)
  expect(overlap).toBe(false)
  expect(events.map(({ kind }) => kind)).toEqual(['assigned'])
  for (const partition of [0, 1, 2, 3]) {
    expect([...one.offsets(partition), ...other.offsets(partition)]).toEqual(upTo(60))
  }
})

// The same page: without ConsumerGroupId the group's name is unique. Here it is the mapping's id.
test('without a group of its own name a mapping is a group under its id', async () => {
  await topic.create(1)
  await topic.produce(records(0, 2))

  topic.start(collector().invoke, { AmazonManagedKafkaEventSourceConfig: undefined }, { id: `id-${topic.name}` })

  await eventually(async () => expect(await topic.broker.groupOffsets(`id-${topic.name}`, topic.name)).toEqual([2]))
})

// AWS has no such documented setting: two batches of a topic partition at once.
test('with two batches in flight nothing is lost, and nothing is committed that is not processed', async () => {
  await topic.create(1)
  const { offsets, invoke } = collector()
  let atOnce = 0
  let mostAtOnce = 0
  let failures = 5
  topic.start(
    async (event, payload) => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce)
      await new Promise((resolve) => setTimeout(resolve, 5))
      atOnce--
      return failures-- > 0 ? failure : invoke(event, payload)
    },
    { BatchSize: 5 },
    { batchesInFlight: 2 },
  )

  await topic.produce(records(0, 100))

  await topic.committed([100])
  expect(mostAtOnce).toBe(2)
  expect(offsets(0).toSorted((a, b) => a - b)).toEqual(upTo(100))
})
