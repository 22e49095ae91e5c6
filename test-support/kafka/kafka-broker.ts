import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Admin, Producer } from '@platformatic/kafka'
import { localOverrides } from '#localstack/assembly/local-overrides.ts'
import { startGuard } from '#localstack/processes/guard.ts'
import { prepareJars } from '#localstack/servers/java/jars.ts'
import { findJava } from '#localstack/servers/java/java.ts'
import { type BrokerListener, listenerProperties } from '#localstack/servers/kafka/broker-listeners.ts'
import { type BrokerNode, brokerNodes, quorumProperties } from '#localstack/servers/kafka/broker-nodes.ts'
import { type CertificateAuthority, makeCertificateAuthority } from '#localstack/servers/kafka/certificate-authority.ts'
import { makeClusterId, startKafka } from '#localstack/servers/kafka/kafka.ts'
import { repository } from '#localstack/settings.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { openOlderProtocol, type SpokenVersions } from './older-protocol.ts'

/** A record to produce. `partition` is its topic partition. */
export type TestRecord = { partition: number; key?: string; value?: string; headers?: Record<string, string> }

/** Addresses of the broker's listeners with TLS, and the user that may log in. */
export type SecureAccess = {
  authority: CertificateAuthority
  /** For SASL over TLS. */
  saslServers: string
  user: { name: string; password: string }
  /** For TLS with a client certificate of the authority. */
  mutualTlsServers: string
}

/** A broker for one test file, which is empty when it starts. */
export type TestBroker = {
  /** Present when `isSecure` was set. */
  secure?: SecureAccess
  /** API keys that clients used, with the versions of each. Present when `speaks` was set. */
  usedVersions?: ReadonlyMap<number, ReadonlySet<number>>
  /** `host:port` */
  bootstrapServers: string
  /** Settles when the topic can be written to. */
  createTopic(topic: string, partitions: number, configuration?: Record<string, string>): Promise<void>
  produce(topic: string, records: TestRecord[]): Promise<void>
  /** Deletes the topic and creates it again, empty. */
  recreateTopic(topic: string, partitions: number): Promise<void>
  /** Offsets of a consumer group in the topic, by topic partition; -1 when there is none. */
  groupOffsets(groupId: string, topic: string): Promise<number[]>
  /** Sets an offset of a group that has no members. */
  setGroupOffset(groupId: string, topic: string, partition: number, offset: number): Promise<void>
  pid(): number
  /** Kills the broker with -9. It starts again by itself on the same port, with its data. */
  kill(): void
  stop(): Promise<void>
}

export type TestBrokerOptions = {
  /** Whether the broker has listeners with TLS, too. */
  isSecure?: boolean
  /** The newest protocol versions that it offers to clients; absent: all that it has. */
  speaks?: SpokenVersions
}

/** Starts it with the jars of the local engine, which Maven fetches if they are missing. */
export async function startTestBroker({ isSecure = false, speaks }: TestBrokerOptions = {}): Promise<TestBroker> {
  const directory = await mkdtemp(join(tmpdir(), 'kafka-broker-'))
  const guard = startGuard()
  // The controller listens on the next port.
  const [port, saslPort] = (await freePortPairs(2)) as [number, number]
  const user = { name: 'alice', password: 'alice-secret' }
  const authority = makeCertificateAuthority('test authority')
  const mutualTlsPort = saslPort + 1
  const [node] = brokerNodes({ kafkaPort: port, brokers: 1 }) as [BrokerNode]
  const listeners: BrokerListener[] = [
    { name: 'PLAINTEXT', port, protocol: 'PLAINTEXT' },
    { name: 'CONTROLLER', port: node.controllerPort, protocol: 'PLAINTEXT' },
  ]
  const mechanisms = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'] as const
  const secureListeners: BrokerListener[] = [
    { name: 'SECURE', port: saslPort, protocol: 'SASL_SSL', mechanisms, plainUsers: [user] },
    { name: 'MUTUAL', port: mutualTlsPort, protocol: 'SSL' },
  ]
  const properties = {
    ...localOverrides['AWS::MSK::Cluster']({ brokers: 1 }),
    ...quorumProperties(node, [node]),
    ...(isSecure
      ? await listenerProperties([...listeners, ...secureListeners], { authority, directory })
      : await listenerProperties(listeners)),
    'inter.broker.listener.name': 'PLAINTEXT',
    ...(speaks && { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${saslPort}` }),
    // After a kill -9 the controller waits until the old session expires before it accepts the new one.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    'auto.create.topics.enable': 'false',
    'message.max.bytes': String(16 << 20),
  }
  const service = await startKafka({
    name: 'kafka',
    clusterId: makeClusterId(),
    program: await findJava(process.env),
    jars: await prepareJars({
      directory: join(repository, '.tidemark', 'jars'),
      environment: process.env,
      onProgress: () => undefined,
    }),
    directory,
    port,
    properties,
    isQuorumListed: false,
    users: isSecure ? [user] : [],
    logFile: join(directory, 'kafka.log'),
    guard,
    signal: new AbortController().signal,
  })
  const door = speaks && (await openOlderProtocol({ port: saslPort, brokerPort: port }, speaks))
  const bootstrapServers = `127.0.0.1:${door?.port ?? port}`
  const connection = { clientId: 'test', bootstrapBrokers: [bootstrapServers] }
  const admin = new Admin({ ...connection, retries: 0 })
  // The producer is idempotent, so that a retry does not write records twice that a test counts.
  const producer = new Producer({ ...connection, idempotent: true })

  async function createTopic(topic: string, partitions: number, configuration: Record<string, string> = {}) {
    const configs = Object.entries(configuration).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs })
    const indexes = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n }))
    await withoutError(() => admin.listOffsets({ topics: [{ name: topic, partitions: indexes }] }))
  }

  const secure = {
    authority,
    user,
    saslServers: `127.0.0.1:${saslPort}`,
    mutualTlsServers: `127.0.0.1:${mutualTlsPort}`,
  }
  return {
    ...(isSecure && { secure }),
    ...(door && { usedVersions: door.used }),
    bootstrapServers,
    createTopic,
    async recreateTopic(topic, partitions) {
      await admin.deleteTopics({ topics: [topic] })
      await createTopic(topic, partitions)
    },
    async setGroupOffset(groupId, name, partition, offset) {
      const partitionOffsets = [{ partition, offset: BigInt(offset) }]
      await admin.alterConsumerGroupOffsets({ groupId, topics: [{ name, partitionOffsets }] })
    },
    async produce(topic, records) {
      const messages = records.map(({ partition, key, value, headers }) => ({
        topic,
        partition,
        ...(key !== undefined && { key: Buffer.from(key) }),
        ...(value !== undefined && { value: Buffer.from(value) }),
        ...(headers !== undefined && {
          headers: new Map(
            Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text, 'latin1')]),
          ),
        }),
      }))
      await producer.send({ messages, acks: -1 })
    },
    async groupOffsets(groupId, topic) {
      const partitions = (await admin.metadata({ topics: [topic] })).topics.get(topic)!.partitionsCount
      const indexes = Array.from({ length: partitions }, (_, index) => index)
      const groups = await admin.listConsumerGroupOffsets({
        groups: [{ groupId, topics: [{ name: topic, partitionIndexes: indexes }] }],
      })
      const found = groups[0]!.topics[0]!.partitions
      return indexes.map((index) =>
        Number(found.find(({ partitionIndex }) => partitionIndex === index)!.committedOffset),
      )
    },
    pid: () => service.health().pid!,
    kill() {
      process.kill(service.health().pid!, 'SIGKILL')
    },
    async stop() {
      await Promise.all([admin.close(), producer.close()])
      await door?.stop()
      await service.stop()
      guard.stop()
      await rm(directory, { recursive: true })
    },
  }
}

/** It takes a moment until the leaders of a new topic know of it. */
async function withoutError(work: () => Promise<unknown>): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; ) {
    try {
      await work()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await delay(10)
    }
  }
}
