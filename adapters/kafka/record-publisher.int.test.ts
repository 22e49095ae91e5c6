import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestBroker, type TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { openRecordPublisher } from './record-publisher.ts'

let broker: TestBroker
let admin: Admin

beforeAll(async () => {
  broker = await startTestBroker()
  admin = new Admin({ clientId: 'test', bootstrapBrokers: [broker.bootstrapServers], retries: 20, retryDelay: 500 })
})

afterAll(async () => {
  await admin?.close()
  await broker?.stop()
})

const open = (topic: string, brokers = [broker.bootstrapServers], waitMs = 30_000) =>
  openRecordPublisher({ brokers, authentication: 'none', region: 'us-east-1', clientId: 'test', topic, waitMs })

const records = (count: number) => Array.from({ length: count }, (_, n) => ({ key: String(n), value: `value ${n}` }))

async function recordsOf(topic: string): Promise<number> {
  const found = (await admin.metadata({ topics: [topic] })).topics.get(topic)!
  const partitions = Array.from({ length: found.partitionsCount }, (_, partitionIndex) => ({
    partitionIndex,
    timestamp: -1n,
  }))
  const [offsets] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
  return offsets!.partitions.reduce((sum, { offset }) => sum + Number(offset), 0)
}

test('a topic that is absent is created, and one that is there is used as it is', async () => {
  await broker.createTopic('wide', 3)

  for (const topic of ['absent', 'wide']) {
    const publisher = await open(topic)
    await publisher.publish(records(100))
    await publisher.close()
  }

  expect(await recordsOf('absent')).toBe(100)
  expect(await recordsOf('wide')).toBe(100)
  expect((await admin.metadata({ topics: ['wide'] })).topics.get('wide')!.partitionsCount).toBe(3)
})

test('a broker that is killed meanwhile is waited for, and no record is lost or there twice', async () => {
  const publisher = await open('killed')
  let published = 0

  for (let batch = 0; batch < 60; batch++) {
    if (batch === 20) broker.kill()
    await publisher.publish(records(50))
    published += 50
  }
  await publisher.close()

  expect(await recordsOf('killed')).toBe(published)
})

test('the error names brokers that do not answer in time', async () => {
  await expect(open('any', ['127.0.0.1:1'], 300)).rejects.toThrow('no broker of 127.0.0.1:1 answered within')
})

test('a publisher does not keep waking up for requests that it does not have', async () => {
  const publisher = await open('idle')
  await publisher.publish(records(10))
  const timers = vi.spyOn(globalThis, 'setTimeout')

  for (let batch = 0; batch < 5; batch++) await publisher.publish(records(10))
  const delays = timers.mock.calls.map(([, delayMs]) => delayMs ?? 0)
  timers.mockRestore()
  await publisher.close()

  expect(delays.filter((delayMs) => delayMs < 0)).toEqual([])
})
