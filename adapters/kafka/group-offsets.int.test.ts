import { Consumer } from '@platformatic/kafka'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestBroker, type TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { type GroupOffsets, openGroupOffsets } from './group-offsets.ts'

let broker: TestBroker
let offsets: GroupOffsets

const open = (brokers = [broker.bootstrapServers], waitMs = 20_000) =>
  openGroupOffsets({ brokers, authentication: 'none', region: 'us-east-1', clientId: 'test', waitMs })

beforeAll(async () => {
  broker = await startTestBroker()
  await broker.createTopic('changes', 2)
  await broker.produce(
    'changes',
    [0, 0, 0, 1].map((partition, n) => ({ partition, value: `${n}` })),
  )
})

afterAll(() => broker?.stop())

beforeEach(async () => {
  offsets = await open()
})

afterEach(() => offsets.close())

test('it returns where topics begin and end, and leaves out those that do not exist', async () => {
  const ranges = await offsets.ranges(['changes', 'absent'])

  expect([...ranges]).toEqual([
    [
      'changes',
      [
        { first: 0, end: 3 },
        { first: 0, end: 1 },
      ],
    ],
  ])
})

test('a group that has committed nothing has no offsets, and one goes on where it was set to', async () => {
  expect(await offsets.committed('nobody', 'changes')).toEqual([null, null])
  await broker.setGroupOffset('group', 'changes', 0, 3)

  await offsets.set('group', 'changes', [
    { topicPartition: 0, offset: 1 },
    { topicPartition: 1, offset: 0 },
  ])

  expect(await offsets.committed('group', 'changes')).toEqual([1, 0])
  expect(await broker.groupOffsets('group', 'changes')).toEqual([1, 0])
})

test('a topic partition that is not named keeps its offset', async () => {
  await broker.setGroupOffset('other', 'changes', 0, 3)
  await broker.setGroupOffset('other', 'changes', 1, 1)

  await offsets.set('other', 'changes', [{ topicPartition: 0, offset: 2 }])

  expect(await offsets.committed('other', 'changes')).toEqual([2, 1])
})

test('a group that somebody is in is left alone', async () => {
  const consumer = new Consumer({ clientId: 'member', groupId: 'busy', bootstrapBrokers: [broker.bootstrapServers] })
  const stream = await consumer.consume({ topics: ['changes'], mode: 'earliest' })
  stream.resume()

  await expect(offsets.set('busy', 'changes', [{ topicPartition: 0, offset: 1 }])).rejects.toThrow(
    'must have no running instances',
  )
  await stream.close()
  await consumer.close()
})

test('the error names brokers that do not answer', async () => {
  await expect(open(['127.0.0.1:1'], 300)).rejects.toThrow('no broker of 127.0.0.1:1 answered within')
})
