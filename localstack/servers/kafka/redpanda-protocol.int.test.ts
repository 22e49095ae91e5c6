import { expect, test } from 'vitest'
import { openRecordPublisher } from '#adapters/kafka/record-publisher.ts'
import { eventually } from '#test-support/eventually.ts'
import { collector, records, upTo, useMappedTopic } from '#test-support/kafka/mapped-topic.ts'
import { redpandaVersions } from '#test-support/kafka/older-protocol.ts'
import { readTopicEnds, readTopics } from '#watch/topic-records.ts'
import { ensureTopic } from './topics.ts'

/** A Kafka broker that offers its clients the protocol versions of Redpanda. */
const topic = useMappedTopic({ speaks: redpandaVersions })

test('the mapping delivers from the beginning, in order, and commits', async () => {
  await topic.create(2)
  await topic.produce([...records(0, 50), ...records(1, 30), { partition: 1, key: 'k' }])
  const { invoke, offsets } = collector()

  topic.start(invoke)

  await topic.committed([50, 31])
  expect([offsets(0), offsets(1)]).toEqual([upTo(50), upTo(31)])
})

test('a group goes on where it was, and begins where its offsets are set', async () => {
  await topic.create(1)
  await topic.produce(records(0, 10))
  const first = collector()
  const { mapping } = topic.start(first.invoke)
  await topic.committed([10])
  await mapping.stop()
  await topic.produce(records(0, 5))
  const [second, third] = [collector(), collector()]

  topic.start(second.invoke)
  await topic.committed([15])
  const group = { AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: `${topic.name}-timestamp` } }
  topic.start(third.invoke, { ...group, StartingPosition: 'AT_TIMESTAMP', StartingPositionTimestamp: 1 })

  expect(second.offsets(0)).toEqual([10, 11, 12, 13, 14])
  await eventually(() => expect(third.offsets(0)).toEqual(upTo(15)))
})

test('topics are made and changed, the producer publishes, and the check of the archive reads', async () => {
  const servers = topic.broker.bootstrapServers
  const brokers = { bootstrapBrokers: [servers], access: {} }
  const declared = { name: topic.name, partitions: 2, replicas: 1, configuration: { 'retention.ms': '60000' } }

  await ensureTopic(brokers, declared)
  await ensureTopic(brokers, { ...declared, configuration: { 'retention.ms': '120000' } })
  const publisher = await openRecordPublisher({
    ...{ brokers: [servers], authentication: 'none', region: '', clientId: 'test', topic: topic.name, waitMs: 10_000 },
  })
  await publisher.publish(upTo(20).map((index) => ({ key: `k${index}`, value: String(index) })))
  await publisher.close()

  const access = { bootstrapServers: servers, access: {} }
  const ends = await readTopicEnds(access, [topic.name])
  const values: number[] = []
  for await (const { value } of readTopics(access, ends)) values.push(Number(value))
  expect(values.sort((a, b) => a - b)).toEqual(upTo(20))
})

test('none of all that used a version that Redpanda does not have', () => {
  const used = [...topic.broker.usedVersions!]

  expect(used.length).toBeGreaterThan(10)
  for (const [key, versions] of used) {
    expect([key, Math.max(...versions) <= (redpandaVersions.get(key) ?? -1)]).toEqual([key, true])
  }
})
