import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { localOverrides } from '#localstack/assembly/local-overrides.ts'
import type { BrokerAccess } from '#localstack/broker-access.ts'
import { startGuard } from '#localstack/processes/guard.ts'
import { prepareJars } from '#localstack/servers/java/jars.ts'
import { findJava } from '#localstack/servers/java/java.ts'
import { brokerNodes } from '#localstack/servers/kafka/broker-nodes.ts'
import type { Administration } from '#localstack/servers/kafka/broker-rights.ts'
import { makeCertificateAuthority } from '#localstack/servers/kafka/certificate-authority.ts'
import { makeClusterId } from '#localstack/servers/kafka/kafka.ts'
import { administratorAccess, startKafkaCluster } from '#localstack/servers/kafka/kafka-cluster.ts'
import { jarsDirectory } from '#localstack/settings.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'

/** A broker for one test file that requires a login. */
export type SecureBroker = {
  administration: Administration
  /** The certificate that clients trust, as PEM text. */
  ca: string
  port: number
  controllerPort: number
  /** Kills the broker with -9. It starts again by itself. */
  kill(): void
  stop(): Promise<void>
}

/** Starts it as the engine does with `--secure`. */
export async function startSecureBroker(): Promise<SecureBroker> {
  const directory = await mkdtemp(join(tmpdir(), 'secure-broker-'))
  const guard = startGuard()
  const [kafkaPort] = (await freePortPairs(1)) as [number]
  const nodes = brokerNodes({ kafkaPort, brokers: 1 })
  const security = {
    authority: makeCertificateAuthority('test authority'),
    brokers: { name: 'brokers', password: 'brokers-secret' },
    administrator: { name: 'administrator', password: 'administrator-secret' },
  }
  const jars = await prepareJars({ directory: jarsDirectory, environment: process.env, onProgress: () => undefined })
  const [service] = await startKafkaCluster({
    ...{ nodes, security, guard, jars, clusterId: makeClusterId(), program: await findJava(process.env) },
    directory: (name) => join(directory, name),
    logFile: (name) => join(directory, `${name}.log`),
    properties: localOverrides['AWS::MSK::Cluster']({ brokers: 1 }),
    signal: new AbortController().signal,
  })
  return {
    administration: { bootstrapBrokers: [`127.0.0.1:${kafkaPort}`], access: administratorAccess(security) },
    ca: security.authority.certificate,
    port: kafkaPort,
    controllerPort: kafkaPort + 1,
    kill: () => process.kill(service!.health().pid!, 'SIGKILL'),
    async stop() {
      await service!.stop()
      guard.stop()
      await rm(directory, { recursive: true })
    },
  }
}

/** Settles when a client with this access may ask for the cluster's brokers. */
export async function logIn(bootstrapBrokers: string[], access: BrokerAccess): Promise<void> {
  const admin = new Admin({
    clientId: 'test',
    bootstrapBrokers,
    retries: 0,
    connectTimeout: 3_000,
    requestTimeout: 5_000,
    ...access,
  })
  try {
    await admin.metadata({ topics: [] })
  } finally {
    await admin.close()
  }
}

/** Settles when the broker has stored the record. */
export async function write(
  bootstrapBrokers: string[],
  access: BrokerAccess,
  topic: string,
  value: string,
): Promise<void> {
  const producer = new Producer({ clientId: 'test', bootstrapBrokers, retries: 0, ...access })
  try {
    await producer.send({ messages: [{ topic, value: Buffer.from(value) }], acks: -1 })
  } finally {
    await producer.close()
  }
}

/** The first `count` values of the topic, which a member of the group reads. */
export async function read(
  bootstrapBrokers: string[],
  access: BrokerAccess,
  { topic, groupId, count }: { topic: string; groupId: string; count: number },
): Promise<string[]> {
  const consumer = new Consumer({
    clientId: 'test',
    groupId,
    bootstrapBrokers,
    retries: 20,
    retryDelay: 250,
    ...access,
  })
  const values: string[] = []
  try {
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false, maxWaitTime: 200 })
    for await (const { value } of stream) {
      values.push(String(value))
      if (values.length === count) return values
    }
    return values
  } finally {
    await consumer.close(true)
  }
}

/** The result of a TLS connection with these options: the code of the error, or `connected` when it is accepted. */
export function greetingAt(port: number, options: { ca?: string; servername?: string }): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, ...options })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    // With TLS 1.3, a server that requires a certificate refuses the client only after the handshake.
    socket.once('secureConnect', async () => {
      await pause(500)
      socket.destroy()
      resolve('connected')
    })
  })
}

/** The messages of an error, of its causes and of the errors that it contains. */
export function reasonsOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const inner = error instanceof AggregateError ? error.errors : []
  return [error.message, reasonsOf(error.cause), ...inner.map(reasonsOf)].join(' ')
}
