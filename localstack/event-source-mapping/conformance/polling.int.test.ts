import { Admin, Producer } from '@platformatic/kafka'
import { expect, test, vi } from 'vitest'
import { eventually } from '#test-support/eventually.ts'
import { collector, eventSourceArn, records, success, upTo, useMappedTopic } from '#test-support/kafka/mapped-topic.ts'

// Source of each test: a page of the AWS Lambda developer guide, or the text of its API.

const topic = useMappedTopic()

// "Using Lambda with Amazon MSK", example event.
test('records arrive as AWS sends them: keys, tombstones, headers and several topic partitions in one event', async () => {
  await topic.create(2)
  await topic.produce([
    { partition: 0, key: 'k', value: 'v', headers: { h: 'a\xff' } },
    { partition: 0, key: 'k' },
    { partition: 1, value: 'w' },
  ])
  const invoke = vi.fn(async () => success)

  topic.start(invoke, { MaximumBatchingWindowInSeconds: 1 })

  await eventually(() => expect(invoke).toHaveBeenCalled())
  const common = { topic: topic.name, timestamp: expect.any(Number), timestampType: 'CREATE_TIME' }
  expect(invoke).toHaveBeenCalledWith(
    {
      eventSource: 'aws:kafka',
      eventSourceArn,
      bootstrapServers: topic.broker.bootstrapServers,
      records: {
        [`${topic.name}-0`]: [
          { ...common, partition: 0, offset: 0, key: 'aw==', value: 'dg==', headers: [{ h: [97, -1] }] },
          { ...common, partition: 0, offset: 1, key: 'aw==', headers: [] },
        ],
        [`${topic.name}-1`]: [{ ...common, partition: 1, offset: 0, value: 'dw==', headers: [] }],
      },
    },
    expect.anything(),
  )
})

// AWS does not document this. It is what Kafka's own clients do.
test('topic partitions that a topic is given later are read', async () => {
  await topic.create(1)
  const { delivered, invoke } = collector()
  topic.start(invoke)
  await topic.produce([{ partition: 0, value: 'before' }])
  await eventually(() => expect(delivered).toHaveLength(1))
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [topic.broker.bootstrapServers] })
  await admin.createPartitions({ topics: [{ name: topic.name, count: 3 }] })
  await admin.close()

  // A producer that runs already knows only the former topic partitions, so this is a new one.
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [topic.broker.bootstrapServers] })
  await producer.send({ messages: [{ topic: topic.name, partition: 2, value: Buffer.from('after') }] })
  await producer.close()

  await eventually(() => expect(delivered.map(({ partition }) => partition)).toEqual([0, 2]))
})

// AWS does not document this. It is what Kafka's own clients do.
test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('compression %s is read', async (compression) => {
  await topic.create(1)
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [topic.broker.bootstrapServers], compression })
  const value = Buffer.from('x'.repeat(1000))
  await producer.send({ messages: [1, 2, 3].map(() => ({ topic: topic.name, partition: 0, value })) })
  await producer.close()
  const { delivered, invoke } = collector()

  topic.start(invoke)

  await eventually(() => expect(delivered.map((each) => each.value)).toEqual(Array(3).fill(value.toString('base64'))))
})

// AWS does not document this. It is what a consumer with read_committed gets.
test('an aborted transaction is not delivered', async () => {
  await topic.create(1)
  const producer = new Producer({
    clientId: 'test',
    bootstrapBrokers: [topic.broker.bootstrapServers],
    idempotent: true,
    transactionalId: topic.name,
  })
  for (const [value, end] of [
    ['first', 'commit'],
    ['second', 'abort'],
    ['third', 'commit'],
  ] as const) {
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: [{ topic: topic.name, partition: 0, value: Buffer.from(value) }] })
    await transaction[end]()
  }
  await producer.close()
  const { delivered, invoke } = collector()

  topic.start(invoke)

  await topic.committed([6])
  expect(delivered.map(({ value }) => Buffer.from(value!, 'base64').toString())).toEqual(['first', 'third'])
})

// API, BatchSize: "The maximum number of records in each batch".
test('a batch never holds more records than BatchSize', async () => {
  await topic.create(2)
  await topic.produce([...records(0, 25), ...records(1, 25)])
  const sizes: number[] = []
  const { offsets, invoke } = collector()

  topic.start(
    (event, payload) => {
      sizes.push(Object.values(event.records).flat().length)
      return invoke(event, payload)
    },
    { BatchSize: 10 },
  )

  await topic.committed([25, 25])
  expect(Math.max(...sizes)).toBe(10)
  expect([offsets(0), offsets(1)]).toEqual([upTo(25), upTo(25)])
})

// API, BatchSize: "up to the payload limit for synchronous invocation (6 MB)".
test('no event is longer than 6 MB, however long its records are', async () => {
  await topic.create(1)
  const value = 'x'.repeat(1_000_000)
  for (let index = 0; index < 9; index++) await topic.produce([{ partition: 0, value }])
  const lengths: number[] = []
  const { offsets, invoke } = collector()

  topic.start((event, payload) => {
    lengths.push(payload.length)
    return invoke(event, payload)
  })

  await topic.committed([9])
  expect(offsets(0)).toEqual(upTo(9))
  expect(Math.max(...lengths)).toBeLessThanOrEqual(6 * 1024 * 1024)
})

// "Capturing discarded batches …" sends the record to the destination. Without a destination this is our choice.
test('a record that fits into no event blocks its topic partition and says so; others go on', async () => {
  await topic.create(2, { 'max.message.bytes': String(8 << 20) })
  await topic.produce([{ partition: 0, value: 'x'.repeat(5_000_000) }])
  await topic.produce([...records(0, 1), ...records(1, 1)])
  const { delivered, invoke } = collector()

  const { mapping } = topic.start(invoke)

  await topic.committed([-1, 1])
  expect(delivered.map(({ partition }) => partition)).toEqual([1])
  expect(mapping.metrics().lastError).toMatch(/^record 0 of .*-0 is 6\.4 MB as JSON, an event takes 6 MB: it blocks/)
})

// "Customizable consumer group ID": a group with offsets ignores the starting position.
test('the offsets of the group win over the starting position', async () => {
  await topic.create(1)
  await topic.produce(records(0, 3))
  const first = collector()
  const { mapping } = topic.start(first.invoke)
  await topic.committed([3])
  await mapping.stop()

  await topic.produce(records(0, 2))
  const second = collector()
  topic.start(second.invoke, { StartingPosition: 'LATEST' })

  await topic.committed([5])
  expect(second.offsets(0)).toEqual([3, 4])
})

// "Polling and stream starting positions": LATEST can miss events while a mapping is created; our mapping keeps its
// place.
test('LATEST begins behind what is there, and keeps that place over a restart before the first record', async () => {
  await topic.create(1)
  await topic.produce(records(0, 3))
  const { mapping } = topic.start(collector().invoke, { StartingPosition: 'LATEST' })
  await eventually(() => expect(mapping.state()).toBe('Enabled'))
  await mapping.stop()

  await topic.produce(records(0, 2))
  const { offsets, invoke } = collector()
  topic.start(invoke, { StartingPosition: 'LATEST' })

  await eventually(() => expect(offsets(0)).toEqual([3, 4]))
})

// API, StartingPositionTimestamp: "the time from which to start reading".
test('AT_TIMESTAMP begins at the first record of that time', async () => {
  await topic.create(2)
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [topic.broker.bootstrapServers] })
  const at = (seconds: number) => ({
    topic: topic.name,
    partition: 0,
    value: Buffer.from('v'),
    timestamp: BigInt(seconds * 1000),
  })
  await producer.send({ messages: [at(1_000), at(2_000), at(3_000)] })
  await producer.close()
  const { offsets, invoke } = collector()

  topic.start(invoke, { StartingPosition: 'AT_TIMESTAMP', StartingPositionTimestamp: 2_000 })

  await eventually(() => expect(offsets(0)).toEqual([1, 2]))
})

// AWS does not document this. Kafka's clients call it auto.offset.reset.
test('offsets the topic no longer has are given up loudly, and the starting position decides', async () => {
  await topic.create(1)
  await topic.produce(records(0, 5))
  const { mapping } = topic.start(collector().invoke)
  await topic.committed([5])
  await mapping.stop()
  await topic.broker.recreateTopic(topic.name, 1)
  await topic.produce(records(0, 2))
  await topic.broker.setGroupOffset(topic.name, topic.name, 0, 5)
  const { offsets, invoke } = collector()

  const { events } = topic.start(invoke)

  await eventually(() => expect(offsets(0)).toEqual([0, 1]))
  expect(events).toContainEqual({
    kind: 'offset-lost',
    topicPartition: `${topic.name}-0`,
    offset: 5,
    continuesAt: 0,
  })
})
