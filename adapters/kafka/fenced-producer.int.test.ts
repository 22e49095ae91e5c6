import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestBroker, type TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { lastValues } from '#test-support/kafka/last-values.ts'
import { UnusableTopicError } from './compacted-topic.ts'
import { type FencedProducer, isRefusedForGood, makeFencedProducer, type TopicRecord } from './fenced-producer.ts'

let broker: TestBroker
let topic: string
let topics = 0
const opened: { close(): Promise<void> }[] = []

beforeAll(async () => {
  broker = await startTestBroker()
})

afterAll(() => broker?.stop())

beforeEach(() => {
  topic = `windows-${++topics}`
})

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

const transactionalId = () => `test-${topic}`
const unknown = async () => undefined

function producer(brokers = [broker.bootstrapServers], waitMs = 30_000): FencedProducer {
  const made = makeFencedProducer({
    brokers: async () => ({
      ...{ brokers, authentication: 'none' as const, region: 'us-east-1', clientId: 'test', waitMs },
    }),
    topic,
    transactionalId: transactionalId(),
  })
  opened.push(made)
  return made
}

async function publish(from: FencedProducer, ...records: TopicRecord[]) {
  await from.begin(unknown)
  return from.publish(records)
}

const kafka = () =>
  new Kafka({ brokers: [broker.bootstrapServers], clientId: 'test', logLevel: logLevel.NOTHING, retry: { retries: 5 } })

async function configurationOf(name: string, setting: string) {
  const admin = kafka().admin()
  await admin.connect()
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name }] })
  await admin.disconnect()
  return resources[0]!.configEntries.find(({ configName }) => configName === setting)?.configValue
}

test('a topic that is absent is created compacted, with the defaults of the cluster', async () => {
  const made = producer()

  expect(await made.begin(unknown)).toBe(1)

  expect(await configurationOf(topic, 'cleanup.policy')).toBe('compact')
})

test('a compacted topic is used as it is', async () => {
  await broker.createTopic(topic, 3, { 'cleanup.policy': 'compact', 'segment.ms': '60000' })
  const made = producer()

  expect(await made.begin(unknown)).toBe(3)
  await made.publish([
    { key: 'a', value: '1' },
    { key: 'b', value: '2' },
  ])

  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: '1', b: '2' })
  expect(await configurationOf(topic, 'segment.ms')).toBe('60000')
})

test('a topic whose records expire is not changed and not used', async () => {
  await broker.createTopic(topic, 1, { 'cleanup.policy': 'compact,delete' })

  await expect(producer().begin(unknown)).rejects.toThrow(
    new UnusableTopicError(
      `topic ${topic} exists with cleanup.policy=compact,delete, so that the last value of a key could expire: set it to compact, or publish to another topic`,
    ),
  )

  expect(await configurationOf(topic, 'cleanup.policy')).toBe('compact,delete')
})

test('a topic that was deleted is not created empty, and one whose keys have moved is not used', async () => {
  await expect(producer().begin(async () => 1)).rejects.toThrow(
    `topic ${topic} was deleted after values had been published to it`,
  )
  await broker.createTopic(topic, 2, { 'cleanup.policy': 'compact' })

  await expect(producer().begin(async () => 1)).rejects.toThrow(`topic ${topic} has 2 topic partitions and had 1`)
})

test('of two producers only the newer can write, until the other begins again', async () => {
  const [older, newer] = [producer(), producer()]
  await publish(older, { key: 'a', value: 'older' })
  await publish(newer, { key: 'a', value: 'newer' })

  await expect(older.publish([{ key: 'a', value: 'stale' }])).rejects.toThrow('old epoch')
  expect(await lastValues(broker.bootstrapServers, topic, 'uncommitted')).toEqual({ a: 'newer' })
  await expect(older.publish([])).rejects.toThrow('before it has begun')
  await publish(older, { key: 'a', value: 'again' })

  await expect(newer.publish([{ key: 'a', value: 'stale' }])).rejects.toThrow('old epoch')
  expect(await lastValues(broker.bootstrapServers, topic, 'uncommitted')).toEqual({ a: 'again' })
})

test('a producer that has sent and wakes up behind a newer one cannot commit, and what it sent counts for nobody', async () => {
  await publish(producer(), { key: 'a', value: 'before' })
  const asleep = kafka().producer({ transactionalId: transactionalId(), maxInFlightRequests: 1, retry: { retries: 0 } })
  await asleep.connect()
  opened.push({ close: () => asleep.disconnect() })
  const transaction = await asleep.transaction()
  await transaction.send({
    topic,
    messages: [
      { key: 'a', value: 'asleep' },
      { key: 'b', value: 'asleep' },
    ],
  })

  await publish(producer(), { key: 'a', value: 'newer' })

  await expect(transaction.send({ topic, messages: [{ key: 'a', value: 'stale' }] })).rejects.toThrow('old epoch')
  await expect(transaction.commit()).rejects.toThrow('old epoch')
  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: 'newer' })
})

test('what is larger than the topic allows is not written in part, and smaller values follow', async () => {
  await broker.createTopic(topic, 4, { 'cleanup.policy': 'compact', 'max.message.bytes': '100000' })
  const made = producer()
  await publish(made, { key: 'a', value: 'before' }, { key: 'b', value: 'before' })
  const large = { key: 'c', value: 'x'.repeat(200_000) }
  const some = ['a', 'b', 'd', 'e', 'f'].map((key) => ({ key, value: 'with it' }))

  expect(await publish(made, ...some, large)).toBe('too large')
  // Until somebody begins, readers of committed records wait behind what was sent.
  await made.begin(unknown)
  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: 'before', b: 'before' })

  expect(await publish(made, { key: 'a', value: 'after' })).toBe('published')
  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: 'after', b: 'before' })
})

test('values of several megabytes and many small ones come in requests that the brokers take', async () => {
  const large = Array.from({ length: 3 }, (_, n) => ({ key: `large ${n}`, value: `${n}`.repeat(4_000_000) }))
  const small = Array.from({ length: 20_000 }, (_, n) => ({ key: `small ${n}`, value: 'x'.repeat(100) }))

  expect(await publish(producer(), ...large, ...small)).toBe('published')

  expect(Object.keys(await lastValues(broker.bootstrapServers, topic))).toHaveLength(20_003)
})

test('a broker that is killed meanwhile loses nothing: what failed is published again', async () => {
  const made = producer()
  const expected: Record<string, string> = {}

  for (let batch = 0; batch < 30; batch++) {
    if (batch === 10) broker.kill()
    const records = Array.from({ length: 20 }, (_, n) => ({ key: `${(batch * 7 + n) % 50}`, value: `${batch}.${n}` }))
    for (let isPublished = false; !isPublished; ) {
      isPublished = await publish(made, ...records).then(
        () => true,
        () => false,
      )
    }
    for (const { key, value } of records) expected[key] = value
  }

  expect(await lastValues(broker.bootstrapServers, topic)).toEqual(expected)
})

test('brokers that do not answer are named, and a name that no topic can have is refused for good', async () => {
  const unreachable = producer(['127.0.0.1:1'], 300)
  topic = 'no name/of a topic'
  const error = await producer()
    .begin(unknown)
    .catch((reason: unknown) => reason)

  expect(isRefusedForGood(error)).toBe(true)
  await expect(unreachable.begin(unknown)).rejects.toThrow('no broker of 127.0.0.1:1 answered within')
})
