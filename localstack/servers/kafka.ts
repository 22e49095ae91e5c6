import { randomBytes } from 'node:crypto'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Admin } from '@platformatic/kafka'
import { runToEnd } from './finished-process.ts'
import type { Guard } from './guard.ts'
import type { Jars } from './jars.ts'
import { javaOptions } from './java-options.ts'
import { formatProperties } from './properties-file.ts'
import { type RunningService, supervise } from './supervise.ts'

/** One broker that is its own controller. */
export type KafkaOptions = {
  java: string
  jars: Jars
  /** Data, kept between runs. */
  directory: string
  /** The broker's; the controller listens on the next one. */
  port: number
  /** server.properties of the cluster; what one node on loopback needs wins over them. */
  properties: Record<string, string>
  logFile: string
  guard: Guard
  signal: AbortSignal
}

const HEAP_MB = 256
const log4j = join(import.meta.dirname, 'log4j2.yaml')

/** Starts the broker on 127.0.0.1; resolves once it answers. Throws an Error with the last lines of its log. */
export async function startKafka(options: KafkaOptions): Promise<RunningService> {
  const { java, jars, directory, port, properties, logFile, guard, signal } = options
  await mkdir(directory, { recursive: true })
  const data = join(directory, 'data')
  const file = join(directory, 'server.properties')
  await writeFile(file, formatProperties({ ...properties, ...singleNode(port), 'log.dirs': data }))
  const run = [...javaOptions({ heapMb: HEAP_MB }), `-Dlog4j2.configurationFile=${log4j}`, '-cp', jars.classPath]
  if (!(await exists(data))) await format(java, run, { ...options, data })
  return supervise({
    name: 'kafka',
    command: { file: java, args: [...run, 'kafka.Kafka', file], cwd: directory },
    ready: () => answers(port),
    readyWithinMs: 90_000,
    stopSignal: 'SIGTERM',
    stopWithinMs: 3_000,
    logFile,
    guard,
    signal,
  })
}

/** What a cluster of one node on loopback needs, whatever the template says of MSK's brokers. */
export function singleNode(port: number): Record<string, string | number> {
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${port + 1}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // Nobody else joins the group of one poller: waiting for others only delays the first change.
    'group.initial.rebalance.delay.ms': 0,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'log.cleaner.dedupe.buffer.size': 16 << 20,
  }
}

/** Beside its final place and then renamed: a run that was interrupted leaves no half-formatted storage. */
async function format(
  java: string,
  run: string[],
  { data, directory, properties, port }: KafkaOptions & { data: string },
) {
  const fresh = `${data}.new`
  const file = join(directory, 'format.properties')
  await rm(fresh, { recursive: true, force: true })
  await writeFile(file, formatProperties({ ...properties, ...singleNode(port), 'log.dirs': fresh }))
  // A cluster id is a UUID in base64url; one that begins with a dash would read as an option.
  const clusterId = `T${randomBytes(16).toString('base64url').slice(1)}`
  const tool = ['kafka.tools.StorageTool', 'format', '--standalone', '-t', clusterId, '-c', file]
  const { code, output } = await runToEnd(java, [...run, '-XX:TieredStopAtLevel=1', ...tool], { cwd: directory })
  await rm(file)
  if (code !== 0) throw new Error(`kafka: its storage could not be formatted: ${output.trim()}`)
  await rename(fresh, data)
}

async function answers(port: number): Promise<boolean> {
  const admin = new Admin({
    clientId: 'tidemark-engine',
    bootstrapBrokers: [`127.0.0.1:${port}`],
    retries: 0,
    connectTimeout: 2_000,
  })
  try {
    return (await admin.metadata({ topics: [] })).brokers.size > 0
  } catch {
    return false
  } finally {
    await admin.close()
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}
