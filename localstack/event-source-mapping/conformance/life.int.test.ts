import { expect, test } from 'vitest'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import { eventually } from '#test-support/eventually.ts'
import { collector, failure, records, success, useMappedTopic } from '#test-support/kafka/mapped-topic.ts'
import { updateProperties } from '../definition/mapping-update.ts'
import { awsMetrics } from '../metric-names.ts'

// Source of each test: the texts of CreateEventSourceMapping, UpdateEventSourceMapping, DeleteEventSourceMapping and
// EventSourceMappingConfiguration in the API, unless it names a page of the AWS Lambda developer guide.

const topic = useMappedTopic()
const provisioned = { ProvisionedPollerConfig: { MinimumPollers: 1 } }

// Enabled: "When false, Lambda pauses polling and invocation".
test('a mapping that is created disabled polls nothing, and delivers everything once it is enabled', async () => {
  await topic.create(1)
  await topic.produce(records(0, 3))
  const { offsets, invoke } = collector()
  const { mapping } = topic.start(invoke, { Enabled: false })
  expect([mapping.state(), mapping.metrics().topicPartitions]).toEqual(['Disabled', []])

  mapping.update(topic.define())

  expect(mapping.state()).toBe('Enabling')
  await topic.committed([3])
  expect(mapping.state()).toBe('Enabled')
  expect(offsets(0)).toEqual([0, 1, 2])
})

// State: Disabling, Disabled, Enabling, Enabled.
test('disabling finishes and commits what is in flight; enabling goes on behind it', async () => {
  await topic.create(1)
  await topic.produce(records(0, 2))
  const { offsets, invoke } = collector()
  const answers: ((answer: InvocationAnswer) => void)[] = []
  let isSlow = true
  const { mapping } = topic.start((event, payload) => {
    const done = invoke(event, payload)
    return isSlow ? new Promise((resolve) => answers.push(resolve)) : done
  })
  await eventually(() => expect(answers).toHaveLength(1))

  mapping.update(topic.define({ Enabled: false }))
  expect(mapping.state()).toBe('Disabling')
  await topic.produce(records(0, 2))
  answers[0]!(success)
  await eventually(() => expect(mapping.state()).toBe('Disabled'))
  expect([offsets(0), await topic.groupOffsets()]).toEqual([[0, 1], [2]])
  isSlow = false
  mapping.update(topic.define())

  await topic.committed([4])
  expect(offsets(0)).toEqual([0, 1, 2, 3])
})

// UpdateEventSourceMapping: FunctionName, BatchSize, FilterCriteria, MaximumRetryAttempts, ProvisionedPollerConfig may
// change.
test('function, batch size, filters, retries and pollers change while it runs, without loss', async () => {
  await topic.create(1)
  const { offsets, invoke } = collector()
  const functions: string[] = []
  const sizes: number[] = []
  let fails = false
  const { mapping } = topic.start(
    invoke,
    {},
    {
      invoke: async (payload, functionName) => {
        const event = JSON.parse(payload.toString())
        functions.push(functionName)
        sizes.push(Object.values<unknown[]>(event.records).flat().length)
        return fails ? failure : invoke(event, payload)
      },
    },
  )
  await topic.produce(records(0, 4))
  await topic.committed([4])

  mapping.update(topic.define({ FunctionName: 'g', BatchSize: 1 }))
  expect(mapping.state()).toBe('Updating')
  await topic.produce(records(0, 2))
  await topic.committed([6])
  expect([mapping.state(), functions.at(-1), sizes.slice(-2)]).toEqual(['Enabled', 'g', [1, 1]])

  const Filters = [{ Pattern: JSON.stringify({ value: ['1'] }) }]
  mapping.update(topic.define({ FilterCriteria: { Filters } }))
  await topic.produce(records(0, 3))
  await topic.committed([9])
  expect(offsets(0)).toEqual([0, 1, 2, 3, 4, 5, 7])

  fails = true
  mapping.update(topic.define({ ...provisioned, MaximumRetryAttempts: 0 }))
  await topic.produce(records(0, 2))
  await topic.committed([11])
})

// UpdateEventSourceMapping does not take EventSourceArn, Topics and StartingPosition; "you cannot update" the consumer
// group id.
test('another source is another mapping', async () => {
  await topic.create(1)
  const { mapping } = topic.start(async () => success)
  const properties = { EventSourceArn: 'arn:1', Topics: ['orders'], BatchSize: 5 }

  for (const change of [{ Topics: ['another'] }, { EventSourceArn: 'arn:2' }, { StartingPosition: 'LATEST' }]) {
    expect(() => mapping.update(topic.define(change))).toThrow('cannot be changed: delete the mapping')
    expect(() => updateProperties(properties, change)).toThrow('cannot be changed: delete the mapping')
  }
  const group = { AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'another' } }
  expect(() => updateProperties(properties, group)).toThrow('ConsumerGroupId cannot be changed')
  expect(updateProperties(properties, { BatchSize: 6, Topics: ['orders'] })).toEqual({ ...properties, BatchSize: 6 })
})

// DeleteEventSourceMapping; "Customizable consumer group ID": a group that has offsets continues at these.
test('deleting leaves the group and its offsets; another mapping of the group goes on there', async () => {
  await topic.create(1)
  await topic.produce(records(0, 2))
  const first = collector()
  const { mapping } = topic.start(first.invoke)
  await topic.committed([2])

  const deleted = mapping.delete()
  expect(mapping.state()).toBe('Deleting')
  await deleted

  expect(mapping.state()).toBe('Deleted')
  expect(() => mapping.update(topic.define())).toThrow('is deleted or stopped')
  await topic.produce(records(0, 1))
  const second = collector()
  topic.start(second.invoke)
  await topic.committed([3])
  expect(second.offsets(0)).toEqual([2])
})

// "Types of metrics for Lambda functions": event source mapping metrics.
test("metrics have AWS's names", async () => {
  await topic.create(1)
  const Filters = [{ Pattern: JSON.stringify({ value: [{ 'anything-but': ['1'] }] }) }]
  let failures = 1
  const { mapping } = topic.start(
    async ({ records }) => {
      const isPoisoned = Object.values(records)
        .flat()
        .some(({ offset }) => offset === 3)
      return isPoisoned || failures-- > 0 ? failure : success
    },
    { ...provisioned, FilterCriteria: { Filters }, MaximumRetryAttempts: 1 },
  )
  await topic.produce(records(0, 3))
  await topic.committed([3])

  await topic.produce(records(0, 1))
  await topic.committed([4])

  const expected = {
    PolledEventCount: 4,
    FilteredOutEventCount: 1,
    InvokedEventCount: 6,
    FailedInvokeEventCount: 4,
    DroppedEventCount: 1,
    OnFailureDestinationDeliveredEventCount: 0,
    CommittedEventCount: 4,
    MaxOffsetLag: 0,
    SumOffsetLag: 0,
  }
  await eventually(() => expect(awsMetrics(mapping.metrics())).toEqual(expected))
})

// "Filtering events …": "Lambda commits offsets for matched and unmatched messages".
test('what a filter drops is committed, also when nothing is left to deliver', async () => {
  await topic.create(2)
  const Filters = [{ Pattern: JSON.stringify({ value: ['1'] }) }]
  const { offsets, invoke } = collector()
  topic.start(invoke, { FilterCriteria: { Filters } })

  await topic.produce([...records(0, 5), ...records(1, 1)])

  await topic.committed([5, 1])
  expect([offsets(0), offsets(1)]).toEqual([[1], []])
})
