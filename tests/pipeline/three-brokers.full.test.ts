import { setTimeout as pause } from 'node:timers/promises'
import { Admin, ConfigResourceTypes } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '#test-support/eventually.ts'
import { processesOf, startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { tripLoad } from '#test-support/trip-load.ts'
import { checkArchive } from '#verify/archive/archive-check.ts'
import { isEqual } from '#verify/compare-databases.ts'

const topics = ['changes', 'user-events', 'connect-config', 'connect-offsets', 'connect-status', '__consumer_offsets']

let pipeline: TestPipeline
let admin: Admin

beforeAll(async () => {
  pipeline = await startPipeline({ brokers: 3 })
  admin = new Admin({
    clientId: 'test',
    bootstrapBrokers: pipeline.engine.endpoints.kafka.split(','),
    retries: 20,
    retryDelay: 250,
  })
})
afterAll(async () => {
  await admin?.close()
  await pipeline?.stop()
  expect(pipeline && processesOf(pipeline.settings.directory)).toEqual([])
})

test('every topic has three copies, two of which must have a record', async () => {
  const described = await describeTopics()
  const resources = topics.map((resourceName) => ({
    ...{ resourceType: ConfigResourceTypes.TOPIC, resourceName },
    configurationKeys: ['min.insync.replicas', 'unclean.leader.election.enable'],
  }))
  const configurations = await admin.describeConfigs({ resources })

  expect(described.map(({ name }) => name).sort()).toEqual(topics.toSorted())
  for (const { name, partitions } of described) {
    const copies = new Set(partitions.map(({ replicas }) => replicas.length))
    expect([name, copies]).toEqual([name, new Set([3])])
  }
  for (const { resourceName, configs } of configurations) {
    const values = Object.fromEntries(configs.map(({ name, value }) => [name, value]))
    expect([resourceName, values]).toEqual([
      resourceName,
      { 'min.insync.replicas': '2', 'unclean.leader.election.enable': 'false' },
    ])
  }
})

test('while a broker that led topic partitions is kept down the pipeline goes on, nothing is lost, and it comes back', async () => {
  const load = await tripLoad(pipeline, { rows: 15_000, perSecond: 600 })
  await until('a tenth of the load', async () => (await load.arrived()) > 1_500)
  const leader = (await admin.metadata({ topics: ['changes'] })).topics.get('changes')!.partitions[0]!.leader
  const name = `kafka-${leader}` as const
  const killed = new AbortController()
  const keptDown = keepDown(() => pipeline.pid(name), killed.signal)
  const before = await load.arrived()

  await until('3,000 more trips without it', async () => (await load.arrived()) > before + 3_000)
  killed.abort()
  const kills = await keptDown
  await load.done
  const comparison = await pipeline.compare()

  expect(isEqual(comparison), JSON.stringify(comparison)).toBe(true)
  expect(kills).toBeGreaterThan(0)
  const ready = () => pipeline.engine.health().find((service) => service.name === name)?.state === 'healthy'
  await until('the broker among the others', async () => {
    const { topics: known } = await admin.metadata({ topics: ['changes'], forceUpdate: true })
    return ready() && known.get('changes')!.partitions.every(({ isr }) => isr.length === 3)
  })
})

test('the archive has every record of the topics once', async () => {
  const options = { signal: new AbortController().signal, onProgress: () => undefined }

  const { archivedRecords, archiveMismatches } = await checkArchive(pipeline.engine, options)

  expect(archivedRecords).toBeGreaterThan(15_000)
  expect(archiveMismatches).toBe(0)
})

/** The description of all topics, also of Kafka's own. */
async function describeTopics() {
  const brokers = pipeline.engine.endpoints.kafka.split(',')
  const asking = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await asking.connect()
  try {
    return (await asking.fetchTopicMetadata({ topics })).topics
  } finally {
    await asking.disconnect()
  }
}

/** Kills the process of `pid` with -9 whenever there is a new one, until `signal` aborts. Returns how often. */
async function keepDown(pid: () => number | undefined, signal: AbortSignal): Promise<number> {
  const killed = new Set<number>()
  while (!signal.aborted) {
    const found = pid()
    if (found !== undefined && !killed.has(found)) {
      process.kill(found, 'SIGKILL')
      killed.add(found)
    }
    await pause(50)
  }
  return killed.size
}
