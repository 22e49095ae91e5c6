import { randomUUID } from 'node:crypto'
import { Producer } from '@platformatic/kafka'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type FunctionHost, makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation.ts'
import { type FunctionBundles, makeFunctionBundles } from '#test-support/function-bundle.ts'
import { startTestBroker, type TestBroker, type TestRecord } from '#test-support/kafka-broker.ts'
import { type RunningEventSourceMapping, startEventSourceMapping } from './event-source-mapping.ts'
import { readMapping } from './mapping-definition.ts'
import type { MappingEvent } from './mapping-record.ts'

const eventSourceArn = 'arn:aws:kafka:eu-central-1:000000000000:cluster/tidemark/1'
const success: InvocationAnswer = { statusCode: 200, payload: Buffer.from('null'), logTail: '' }
const failure: InvocationAnswer = { ...success, functionError: 'Unhandled' }

type Delivered = { topic: string; partition: number; offset: number; value?: string }

let broker: TestBroker
let running: RunningEventSourceMapping[]
let topic: string

beforeAll(async () => {
  broker = await startTestBroker()
})

afterAll(() => broker.stop())

beforeEach(() => {
  running = []
  topic = `t-${randomUUID()}`
})

afterEach(async () => {
  await Promise.all(running.map((mapping) => mapping.stop(0)))
})

type Invoke = (event: { records: Record<string, Delivered[]> }, payload: Buffer) => Promise<InvocationAnswer>

function start(invoke: Invoke, properties: object = {}, id = randomUUID()) {
  const events: MappingEvent[] = []
  const definition = readMapping({
    EventSourceArn: eventSourceArn,
    FunctionName: 'f',
    Topics: [topic],
    StartingPosition: 'TRIM_HORIZON',
    MaximumBatchingWindowInSeconds: 0,
    AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: topic },
    ...properties,
  })
  const mapping = startEventSourceMapping(definition, {
    id,
    bootstrapServers: broker.bootstrapServers,
    concurrency: 10,
    invoke: (payload) => invoke(JSON.parse(payload.toString()), payload),
    onEvent: (event) => events.push(event),
  })
  running.push(mapping)
  return { mapping, events }
}

/** An `invoke` that accepts everything and remembers it in the order it came. */
function collector(answer: () => Promise<InvocationAnswer> = async () => success) {
  const delivered: Delivered[] = []
  const invoke: Invoke = async ({ records }) => {
    delivered.push(...Object.values(records).flat())
    return answer()
  }
  const offsets = (partition: number) =>
    delivered.filter((each) => each.partition === partition).map(({ offset }) => offset)
  return { delivered, invoke, offsets }
}

const numbered = (partition: number, count: number, from = 0): TestRecord[] =>
  Array.from({ length: count }, (_, index) => ({ partition, key: 'k', value: String(from + index) }))

const upTo = (count: number) => Array.from({ length: count }, (_, offset) => offset)

const eventually = <T>(check: () => T, timeout = 15_000) => vi.waitFor(check, { timeout, interval: 10 })

const committed = (offsets: number[]) =>
  eventually(async () => expect(await broker.groupOffsets(topic, topic)).toEqual(offsets))

test('records arrive as AWS sends them: keys, tombstones, headers and several topic partitions in one event', async () => {
  await broker.createTopic(topic, 2)
  await broker.produce(topic, [
    { partition: 0, key: 'k', value: 'v', headers: { h: 'a\xff' } },
    { partition: 0, key: 'k' },
    { partition: 1, value: 'w' },
  ])
  const invoke = vi.fn(async () => success)

  start(invoke, { MaximumBatchingWindowInSeconds: 1 })

  await eventually(() => expect(invoke).toHaveBeenCalled())
  const common = { topic, timestamp: expect.any(Number), timestampType: 'CREATE_TIME' }
  expect(invoke).toHaveBeenCalledWith(
    {
      eventSource: 'aws:kafka',
      eventSourceArn,
      bootstrapServers: broker.bootstrapServers,
      records: {
        [`${topic}-0`]: [
          { ...common, partition: 0, offset: 0, key: 'aw==', value: 'dg==', headers: [{ h: [97, -1] }] },
          { ...common, partition: 0, offset: 1, key: 'aw==', headers: [] },
        ],
        [`${topic}-1`]: [{ ...common, partition: 1, offset: 0, value: 'dw==', headers: [] }],
      },
    },
    expect.anything(),
  )
})

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('compression %s is read', async (compression) => {
  await broker.createTopic(topic, 1)
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [broker.bootstrapServers], compression })
  const value = Buffer.from('x'.repeat(1000))
  await producer.send({ messages: [1, 2, 3].map(() => ({ topic, partition: 0, value })) })
  await producer.close()
  const { delivered, invoke } = collector()

  start(invoke)

  await eventually(() => expect(delivered.map((each) => each.value)).toEqual(Array(3).fill(value.toString('base64'))))
})

test('an aborted transaction is not delivered', async () => {
  await broker.createTopic(topic, 1)
  const producer = new Producer({
    clientId: 'test',
    bootstrapBrokers: [broker.bootstrapServers],
    idempotent: true,
    transactionalId: topic,
  })
  for (const [value, end] of [
    ['first', 'commit'],
    ['second', 'abort'],
    ['third', 'commit'],
  ] as const) {
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: [{ topic, partition: 0, value: Buffer.from(value) }] })
    await transaction[end]()
  }
  await producer.close()
  const { delivered, invoke } = collector()

  start(invoke)

  await committed([6])
  expect(delivered.map(({ value }) => Buffer.from(value!, 'base64').toString())).toEqual(['first', 'third'])
})

test('a batch never holds more records than BatchSize', async () => {
  await broker.createTopic(topic, 2)
  await broker.produce(topic, [...numbered(0, 25), ...numbered(1, 25)])
  const sizes: number[] = []
  const { offsets, invoke } = collector()

  start(
    (event, payload) => {
      sizes.push(Object.values(event.records).flat().length)
      return invoke(event, payload)
    },
    { BatchSize: 10 },
  )

  await committed([25, 25])
  expect(Math.max(...sizes)).toBe(10)
  expect([offsets(0), offsets(1)]).toEqual([upTo(25), upTo(25)])
})

test('no event is longer than 6 MB, however long its records are', async () => {
  await broker.createTopic(topic, 1)
  const value = 'x'.repeat(1_000_000)
  for (let index = 0; index < 9; index++) await broker.produce(topic, [{ partition: 0, value }])
  const lengths: number[] = []
  const { offsets, invoke } = collector()

  start((event, payload) => {
    lengths.push(payload.length)
    return invoke(event, payload)
  })

  await committed([9])
  expect(offsets(0)).toEqual(upTo(9))
  expect(Math.max(...lengths)).toBeLessThanOrEqual(6 * 1024 * 1024)
})

test('a record that fits into no event blocks its topic partition and says so; others go on', async () => {
  await broker.createTopic(topic, 2, { 'max.message.bytes': String(8 << 20) })
  await broker.produce(topic, [{ partition: 0, value: 'x'.repeat(5_000_000) }])
  await broker.produce(topic, [...numbered(0, 1), ...numbered(1, 1)])
  const { delivered, invoke } = collector()

  const { mapping } = start(invoke)

  await committed([-1, 1])
  expect(delivered.map(({ partition }) => partition)).toEqual([1])
  expect(mapping.metrics().lastError).toMatch(/^record 0 of .*-0 is 6\.4 MB as JSON, an event takes 6 MB: it blocks/)
})

test('offsets are committed after the function has succeeded, not before', async () => {
  await broker.createTopic(topic, 1)
  await broker.produce(topic, numbered(0, 3))
  const answers: ((answer: InvocationAnswer) => void)[] = []
  const { mapping } = start(() => new Promise((resolve) => answers.push(resolve)))

  await eventually(() => expect(answers).toHaveLength(1))
  expect(await broker.groupOffsets(topic, topic)).toEqual([-1])
  answers[0]!(failure)
  await eventually(() => expect(answers).toHaveLength(2))
  expect(await broker.groupOffsets(topic, topic)).toEqual([-1])
  expect(mapping.metrics()).toMatchObject({ batches: 2, failedBatches: 1, records: 6, lastError: 'null' })
  answers[1]!(success)

  await committed([3])
  expect(mapping.metrics()).toEqual({
    batches: 2,
    records: 6,
    failedBatches: 1,
    throttledBatches: 0,
    topicPartitions: [
      {
        topicPartition: `${topic}-0`,
        polled: 3,
        invoked: 6,
        failedInvocations: 1,
        committedOffset: 3,
        logEndOffset: 3,
        lagRecords: 0,
      },
    ],
  })
})

test('a failing batch is repeated as it is, and nothing of its topic partition overtakes it', async () => {
  await broker.createTopic(topic, 2)
  await broker.produce(topic, numbered(0, 3))
  let failures = 3
  const batches: number[][] = []
  start(async ({ records }) => {
    const own = records[`${topic}-0`]
    if (own === undefined) return success
    batches.push(own.map(({ offset }) => offset))
    return failures-- > 0 ? failure : success
  })
  await eventually(() => expect(batches).toHaveLength(1))

  await broker.produce(topic, [...numbered(0, 2, 3), ...numbered(1, 4)])

  await committed([5, 4])
  expect(batches).toEqual([
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
    [3, 4],
  ])
})

test('topic partitions are in flight at once, never two batches of one', async () => {
  await broker.createTopic(topic, 4)
  const active = new Map<string, number>()
  let mostAtOnce = 0
  let overlap = false
  const { offsets, invoke } = collector()
  start(
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
    await broker.produce(
      topic,
      [0, 1, 2, 3].flatMap((partition) => numbered(partition, 10)),
    )
  }

  await committed([100, 100, 100, 100])
  expect(overlap).toBe(false)
  expect(mostAtOnce).toBeGreaterThan(1)
  for (const partition of [0, 1, 2, 3]) expect(offsets(partition)).toEqual(upTo(100))
})

test('the offsets of the group win over the starting position', async () => {
  await broker.createTopic(topic, 1)
  await broker.produce(topic, numbered(0, 3))
  const first = collector()
  const { mapping } = start(first.invoke)
  await committed([3])
  await mapping.stop()

  await broker.produce(topic, numbered(0, 2))
  const second = collector()
  start(second.invoke, { StartingPosition: 'LATEST' })

  await committed([5])
  expect(second.offsets(0)).toEqual([3, 4])
})

test('LATEST begins behind what is there, and keeps that place over a restart before the first record', async () => {
  await broker.createTopic(topic, 1)
  await broker.produce(topic, numbered(0, 3))
  const { mapping } = start(collector().invoke, { StartingPosition: 'LATEST' })
  await eventually(() => expect(mapping.state()).toBe('Enabled'))
  await mapping.stop()

  await broker.produce(topic, numbered(0, 2))
  const { offsets, invoke } = collector()
  start(invoke, { StartingPosition: 'LATEST' })

  await eventually(() => expect(offsets(0)).toEqual([3, 4]))
})

test('AT_TIMESTAMP begins at the first record of that time', async () => {
  await broker.createTopic(topic, 2)
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [broker.bootstrapServers] })
  const at = (seconds: number) => ({ topic, partition: 0, value: Buffer.from('v'), timestamp: BigInt(seconds * 1000) })
  await producer.send({ messages: [at(1_000), at(2_000), at(3_000)] })
  await producer.close()
  const { offsets, invoke } = collector()

  start(invoke, { StartingPosition: 'AT_TIMESTAMP', StartingPositionTimestamp: 2_000 })

  await eventually(() => expect(offsets(0)).toEqual([1, 2]))
})

test('offsets the topic no longer has are given up loudly, and the starting position decides', async () => {
  await broker.createTopic(topic, 1)
  await broker.produce(topic, numbered(0, 5))
  const { mapping } = start(collector().invoke)
  await committed([5])
  await mapping.stop()
  await broker.recreateTopic(topic, 1)
  await broker.produce(topic, numbered(0, 2))
  await broker.setGroupOffset(topic, topic, 0, 5)
  const { offsets, invoke } = collector()

  const { events } = start(invoke)

  await eventually(() => expect(offsets(0)).toEqual([0, 1]))
  expect(events).toContainEqual({ kind: 'offset-lost', topicPartition: `${topic}-0`, offset: 5, continuesAt: 0 })
})

test('only what the function reports is tried again', async () => {
  await broker.createTopic(topic, 1)
  await broker.produce(topic, numbered(0, 5))
  const batches: number[][] = []
  start(
    async ({ records }) => {
      batches.push(records[`${topic}-0`]!.map(({ offset }) => offset))
      const failures = batches.length === 1 ? [{ itemIdentifier: { partition: `${topic}-0`, offset: 3 } }] : []
      return { ...success, payload: Buffer.from(JSON.stringify({ batchItemFailures: failures })) }
    },
    { FunctionResponseTypes: ['ReportBatchItemFailures'], ProvisionedPollerConfig: { MaximumPollers: 2 } },
  )

  await committed([5])
  expect(batches).toEqual([upTo(5), [3, 4]])
})

test('stopping waits for what is in flight and commits it', async () => {
  await broker.createTopic(topic, 1)
  await broker.produce(topic, numbered(0, 3))
  const { mapping } = start(async () => {
    await new Promise((resolve) => setTimeout(resolve, 300))
    return success
  })
  await eventually(() => expect(mapping.metrics().batches).toBe(1))

  await mapping.stop(5_000)

  expect(await broker.groupOffsets(topic, topic)).toEqual([3])
})

test('a topic that is not there yet is waited for', async () => {
  const { delivered, invoke } = collector()
  const { mapping, events } = start(invoke)
  await eventually(() => expect(events).toContainEqual(expect.objectContaining({ kind: 'disconnected' })))
  expect(mapping.metrics().lastError).toContain('topic')

  await broker.createTopic(topic, 1)
  await broker.produce(topic, numbered(0, 1))

  await eventually(() => expect(delivered).toHaveLength(1))
  expect(mapping.metrics().lastError).toBeUndefined()
})

test('a disabled mapping polls nothing', async () => {
  const { mapping } = start(collector().invoke, { Enabled: false })

  expect(mapping.state()).toBe('Disabled')
  expect(mapping.metrics().topicPartitions).toEqual([])
})

test('two mappings of a group share the topic partitions; when one leaves, the other takes over', async () => {
  await broker.createTopic(topic, 4)
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
  const produce = () =>
    broker.produce(
      topic,
      [0, 1, 2, 3].flatMap((partition) => numbered(partition, 20)),
    )
  const owned = (mapping: RunningEventSourceMapping) => mapping.metrics().topicPartitions.length
  const [one, other] = [collect(), collect()]

  const first = start(one.invoke, { BatchSize: 5 }).mapping
  await eventually(() => expect(owned(first)).toBe(4))
  await produce()
  const second = start(other.invoke, { BatchSize: 5 }).mapping
  await eventually(() => expect([owned(first), owned(second)]).toEqual([2, 2]))
  await produce()
  await committed([40, 40, 40, 40])
  await first.stop()
  await produce()
  await committed([60, 60, 60, 60])

  expect(owned(second)).toBe(4)
  expect(overlap).toBe(false)
  for (const partition of [0, 1, 2, 3]) {
    expect([...one.offsets(partition), ...other.offsets(partition)]).toEqual(upTo(60))
  }
})

test('kill -9 of the broker loses nothing: the mapping goes on when it is back, in order', async () => {
  await broker.createTopic(topic, 2)
  const { offsets, invoke } = collector()
  const { mapping, events } = start(invoke)
  await broker.produce(topic, [...numbered(0, 50), ...numbered(1, 50)])
  await committed([50, 50])

  broker.kill()
  await eventually(() => expect(events).toContainEqual(expect.objectContaining({ kind: 'disconnected' })))
  expect(mapping.state()).toBe('Reconnecting')
  for (const partition of [0, 1]) await eventually(() => broker.produce(topic, numbered(partition, 50)), 30_000)

  await committed([100, 100])
  expect(mapping.state()).toBe('Enabled')
  for (const partition of [0, 1]) expect(firstSeen(offsets(partition))).toEqual(upTo(100))
})

/** Redelivered records left out. */
const firstSeen = (offsets: number[]) => [...new Set(offsets)]

let bundles: FunctionBundles
let host: FunctionHost

beforeAll(() => {
  bundles = makeFunctionBundles()
  host = makeFunctionHost({ endpointUrl: '', onLog: () => undefined })
})

afterAll(async () => {
  await host.stop()
  await bundles.remove()
})

test('kill -9 of the function, its timeout and its errors lose nothing and change no order', async () => {
  await broker.createTopic(topic, 1)
  const definition = await bundles.write(
    'unreliable',
    `import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
     const once = (name) => existsSync(name) ? false : (writeFileSync(name, ''), true)
     export const handler = async ({ records }) => {
       const offsets = Object.values(records).flat().map(({ offset }) => offset)
       if (offsets.includes(20) && once('killed')) process.kill(process.pid, 'SIGKILL')
       if (offsets.includes(40) && once('timed out')) while (true) {}
       if (offsets.includes(60) && once('thrown')) throw new Error('thrown')
       console.log(offsets.join())
     }`,
    { timeoutSeconds: 1 },
  )
  host.add(definition)
  const { delivered, invoke } = collector()
  const reasons: string[] = []
  const { events } = start(
    async (event, payload) => {
      const answer = await host.invoke('unreliable', payload)
      if (answer.functionError === undefined) await invoke(event, payload)
      return answer
    },
    { BatchSize: 10 },
  )

  await broker.produce(topic, numbered(0, 80))

  await committed([80])
  expect(delivered.map(({ offset }) => offset)).toEqual(upTo(80))
  for (const event of events) if (event.kind === 'failed') reasons.push(event.reason)
  expect(reasons).toEqual([
    expect.stringMatching(/Runtime exited with error: signal: killed$/),
    expect.stringMatching(/Task timed out after 1\.00 seconds$/),
    'Error: thrown',
  ])
})
