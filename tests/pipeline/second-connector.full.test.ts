import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectCalls } from '#adapters/connect/connect-api.ts'
import { makeConnectors } from '#adapters/connect/connector-listing.ts'
import { makeTopicReader } from '#adapters/kafka/topics/topic-reader.ts'
import { connectorActions } from '#lambdas/serve-console/actions/connector-actions.ts'
import { connectLogin } from '#localstack/assembly/local-account.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { until } from '#test-support/eventually.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'

let pipeline: TestPipeline
beforeAll(async () => {
  pipeline = await startPipeline()
}, 300_000)
afterAll(() => pipeline?.stop())

/** Two connectors of one worker share nothing but Connect. */
test('a connector that the console creates beside Tidemark’s own reads its tables into topics of its own', async () => {
  const { endpoints } = pipeline.engine
  await pipeline.source.query('create database shop')
  const url = new URL(endpoints.source)
  const connectors = makeConnectors(connectCalls(endpoints.connect, async () => connectLogin(endpoints.key)))
  const actions = connectorActions({ connectors, hasOwnTopicsOnly: false, parts: { ask: (_, work) => work() } })
  const topics = makeTopicReader(async () => ({
    brokers: endpoints.kafka.split(','),
    access: endpoints.kafkaAccess ?? {},
  }))
  const request = (target: string, changes: Record<string, string> = {}) => ({
    ...{ target, confirmed: true },
    configuration: {
      'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
      'database.hostname': url.hostname,
      'database.port': url.port,
      'database.user': decodeURIComponent(url.username),
      'database.password': decodeURIComponent(url.password),
      'database.dbname': 'shop',
      'plugin.name': 'pgoutput',
      'topic.prefix': 'shop',
      'slot.name': 'shop',
      'snapshot.mode': 'initial',
      ...changes,
    },
  })
  const shop = lastingPool({ connectionString: Object.assign(new URL(url), { pathname: '/shop' }).href, max: 1 })
  try {
    await shop.query('create table orders (id int primary key, note text); insert into orders values (1, $$first$$)')
    await expect(actions['connector.create'].plan(request('shop', { 'topic.prefix': 'not a topic!' }))).rejects.toThrow(
      'topic.prefix',
    )

    expect((await actions['connector.create'].plan(request('shop'))).join('\n')).toContain('slot shop in shop at')
    await actions['connector.create'].execute(request('shop'))
    await until('the connector runs', async () => (await connectors.read('shop'))?.tasks[0]?.state === 'RUNNING')
    await shop.query('insert into orders values (2, $$second$$)')

    const records = await until('both rows are in the topic', async () => {
      const place = { kind: 'begin' } as const
      const page = await topics.read({ topic: 'shop.public.orders', place, topicPartition: null, key: null, limit: 9 })
      return page?.items.length === 2 && page.items
    })
    expect(records.map(({ value }) => value!.text)).toEqual([
      expect.stringContaining('first'),
      expect.stringContaining('second'),
    ])
    expect((await connectors.read('shop'))?.configuration['database.password']).toBe('••••••')
    expect((await connectors.list()).map(({ name, isOwn, state }) => [name, isOwn, state])).toEqual([
      ['shop', false, 'RUNNING'],
      ['tidemark', true, 'RUNNING'],
    ])
    await actions['connector.pause'].execute(request('shop'))
    await until('it is paused', async () => (await connectors.read('shop'))?.state === 'PAUSED')
    await actions['connector.resume'].execute(request('shop'))
    await until('it goes on', async () => (await connectors.read('shop'))?.state === 'RUNNING')
    await actions['connector.delete'].execute(request('shop'))
    expect(await connectors.read('shop')).toBeUndefined()
  } finally {
    await shop.end()
  }
}, 300_000)
