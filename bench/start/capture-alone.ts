import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connectApi } from '#adapters/connect/connect-api.ts'
import { localOverrides } from '#localstack/assembly/local-overrides.ts'
import { formatDatabaseUrl } from '#localstack/database-url.ts'
import { startGuard } from '#localstack/processes/guard.ts'
import type { RunningService } from '#localstack/processes/supervise.ts'
import { startConnect } from '#localstack/servers/connect/connect.ts'
import { prepareJars } from '#localstack/servers/java/jars.ts'
import { findJava } from '#localstack/servers/java/java.ts'
import { listenerProperties } from '#localstack/servers/kafka/broker-listeners.ts'
import { type BrokerNode, brokerNodes, quorumProperties } from '#localstack/servers/kafka/broker-nodes.ts'
import { makeClusterId, startKafka } from '#localstack/servers/kafka/kafka.ts'
import { startPostgres } from '#localstack/servers/postgres/postgres.ts'
import { jarsDirectory } from '#localstack/settings.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { type Brokers, readTopicEnds, readTopics, type TopicEnds } from '#watch/topic-records.ts'
import { stopWhenInterrupted } from '../interruption.ts'
import { connectTo } from '../measured-stack.ts'

/** Kafka and Connect without the rest of the stack, with data and a source of their own. */
export type CaptureAlone = {
  /** Starts Kafka, then Connect, and stops both. Returns the seconds until a change is on its topic. */
  start(): Promise<number>
  stop(): Promise<void>
}

/** The source runs all the time. The first start has an empty cluster, which gets the connector then. */
export async function openCaptureAlone(): Promise<CaptureAlone> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-capture-'))
  const guard = startGuard()
  const signal = new AbortController().signal
  const [postgresPort, kafkaPort, connectPort] = (await freePortPairs(3)) as [number, number, number]
  const administrator = { username: 'postgres', password: 'bench' }
  const own = (name: string) => ({
    ...{ directory: join(directory, name), logFile: join(directory, `${name}.log`), guard, signal },
  })
  const program = await findJava(process.env)
  const jars = await prepareJars({ directory: jarsDirectory, environment: process.env, onProgress: () => undefined })
  const postgres = await startPostgres({
    ...{ ...own('postgres'), name: 'postgres', port: postgresPort, database: 'source', administrator },
    settings: localOverrides['AWS::RDS::DBInstance'](),
  })
  const database = { ...administrator, host: '127.0.0.1', port: postgresPort, dbname: 'source' }
  const source = await connectTo(formatDatabaseUrl(database))
  await source.query('create table public.started (run int primary key)')
  const [node] = brokerNodes({ kafkaPort, brokers: 1 }) as [BrokerNode]
  const properties = {
    ...localOverrides['AWS::MSK::Cluster']({ brokers: 1 }),
    ...quorumProperties(node, [node]),
    ...(await listenerProperties([
      { name: 'PLAINTEXT', port: kafkaPort, protocol: 'PLAINTEXT' },
      { name: 'CONTROLLER', port: node.controllerPort, protocol: 'PLAINTEXT' },
    ])),
    'inter.broker.listener.name': 'PLAINTEXT',
  }
  const clusterId = makeClusterId()
  const bootstrapServers = `127.0.0.1:${kafkaPort}`
  const login = { username: 'tidemark', password: 'bench' }
  const servers = new Set<RunningService>()
  let run = 0
  return {
    async start() {
      await source.query('insert into public.started values ($1)', [++run])
      const startedAt = performance.now()
      const kafka = await startKafka({
        ...{ ...own('kafka'), name: 'kafka', program, jars, port: kafkaPort },
        ...{ properties, clusterId, isQuorumListed: false },
      })
      servers.add(kafka)
      try {
        const worker = await startConnect({
          ...{ ...own('connect'), program, jars, port: connectPort, login },
          environment: workerVariables(bootstrapServers),
          overrides: { ...localOverrides['AWS::ECS::Service']({ connectPort, secure: false, directory }), ...oneCopy },
        })
        servers.add(worker)
        try {
          // At later starts Connect has the connector already, and starts it by itself.
          if (run === 1) {
            await connectApi(`http://127.0.0.1:${connectPort}`, async () => login).put('capture', connector(database))
          }
          return ((await untilOnTopic(bootstrapServers, run)) - startedAt) / 1000
        } finally {
          servers.delete(worker)
          await worker.stop()
        }
      } finally {
        servers.delete(kafka)
        await kafka.stop()
      }
    },
    stop: stopWhenInterrupted(async () => {
      await source.end()
      await Promise.all(Array.from(servers, (server) => server.stop()))
      await postgres.stop()
      guard.stop()
      await rm(directory, { recursive: true, force: true })
    }),
  }
}

const TOPIC = 'alone.public.started'

const ON_TOPIC_WITHIN_MS = 300_000

/**
 * Returns when the topic had the row. The time is taken before the topic is read, because reading only checks that
 * nothing came twice.
 */
async function untilOnTopic(bootstrapServers: string, run: number): Promise<number> {
  const brokers = { bootstrapServers, access: {} }
  const deadline = performance.now() + ON_TOPIC_WITHIN_MS
  for (let at = performance.now(); at < deadline; at = performance.now()) {
    // There is no topic before the first record.
    const ends = await readTopicEnds(brokers, [TOPIC]).catch(() => undefined)
    const records = ends?.get(TOPIC)?.reduce((sum, end) => sum + end, 0) ?? 0
    if (records >= run && (await hasRow(brokers, { ends: ends!, run }))) return at
    await pause(20)
  }
  throw new Error('Kafka and Connect alone: no change was on the topic within five minutes')
}

async function hasRow(brokers: Brokers, { ends, run }: { ends: TopicEnds; run: number }): Promise<boolean> {
  const row = new RegExp(`"run":${run}\\b`)
  for await (const { value } of readTopics(brokers, ends)) if (row.test(value?.toString() ?? '')) return true
  return false
}

const oneCopy = {
  'config.storage.replication.factor': '1',
  'offset.storage.replication.factor': '1',
  'status.storage.replication.factor': '1',
}

const workerVariables = (bootstrapServers: string) => ({
  BOOTSTRAP_SERVERS: bootstrapServers,
  GROUP_ID: 'alone',
  CONFIG_STORAGE_TOPIC: 'alone-config',
  OFFSET_STORAGE_TOPIC: 'alone-offsets',
  STATUS_STORAGE_TOPIC: 'alone-status',
  HEAP_OPTS: '-Xmx768m',
  OFFSET_FLUSH_INTERVAL_MS: '1000',
  CONNECT_PLUGIN_DISCOVERY: 'service_load',
})

const connector = (database: { username: string; password: string; port: number; dbname: string }) => ({
  'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
  'database.hostname': '127.0.0.1',
  'database.port': String(database.port),
  'database.dbname': database.dbname,
  'database.user': database.username,
  'database.password': database.password,
  'plugin.name': 'pgoutput',
  'topic.prefix': 'alone',
  'slot.name': 'alone',
  'publication.name': 'alone',
  'table.include.list': 'public.started',
  'slot.max.retries': '60',
  'slot.retry.delay.ms': '500',
  'topic.creation.default.partitions': '1',
  'topic.creation.default.replication.factor': '1',
})
