import { Producer } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '#test-support/eventually.ts'
import { type HostileRecord, hostileChanges, hostileUserEvents } from '#test-support/hostile/hostile-records.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { checkArchive } from '#verify/archive/archive-check.ts'
import { isEqual } from '#verify/compare-databases.ts'
import { describeComparison } from '#verify/comparison-report.ts'

let pipeline: TestPipeline
let producer: Producer<Buffer, Buffer, Buffer, Buffer>

beforeAll(async () => {
  pipeline = await startPipeline()
  producer = new Producer({ clientId: 'hostile', bootstrapBrokers: [pipeline.engine.endpoints.kafka] })
})
afterAll(async () => {
  await producer?.close()
  await pipeline?.stop()
})

const topicPartitions = 4

/** Keys that other clients send: none, a long of Java, Confluent's wire format, and bytes that are not text. */
const keys = [undefined, '0000000000000007', '0000000005067b7d', 'ff00fe']

async function send(topic: string, records: readonly HostileRecord[]): Promise<void> {
  const messages = records.map(({ value, headers }, i) => {
    const key = keys[i % keys.length]
    return {
      topic,
      partition: i % topicPartitions,
      ...(key !== undefined && { key: Buffer.from(key, 'hex') }),
      ...(value !== undefined && { value }),
      headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
    }
  })
  await producer.send({ messages, acks: -1 })
}

const one = async (text: string) => (await pipeline.target.query(text)).rows[0]

test('hostile records on both topics hold up neither tables nor user events nor the archive', async () => {
  await pipeline.source.query('create table public.goods (id int primary key, note text)')
  const events = hostileUserEvents()
  await send('changes', hostileChanges())
  await send('user-events', events)
  await pipeline.source.query(`insert into public.goods select g, 'behind' from generate_series(1, 1000) g`)
  await send(
    'user-events',
    [0, 1, 2, 3].map((id) => ({
      ...{ name: 'good', headers: {}, outcome: 'applied' },
      value: Buffer.from(JSON.stringify({ id: 900 + id, name: 'behind', op: 'insert', event_order: 1 })),
    })),
  )

  const comparison = await pipeline.compare()
  expect(isEqual({ ...comparison, stopped: [] }), describeComparison(comparison)).toBe(true)
  expect(comparison.tables.map(({ table }) => table)).toContain('public.goods')
  await until('the user events behind hostile ones', async () => {
    const { n } = await one('select count(*)::int as n from tidemark.latest_user_state where id between 900 and 903')
    return n === 4
  })
  expect(await one('select count(*)::int as n from tidemark.stop')).toEqual({ n: 0 })
  const kept = await one(`select count(*)::int as n from tidemark.quarantine where topic = 'user-events'`)
  expect(kept).toEqual({ n: events.filter(({ outcome }) => outcome !== 'applied').length })

  const archive = await checkArchive(pipeline.engine, {
    signal: AbortSignal.timeout(240_000),
    onProgress: () => undefined,
  })
  expect(archive.archiveMismatches).toBe(0)
  expect(archive.archivedRecords).toBeGreaterThan(hostileChanges().length + events.length)
})
