import { randomBytes } from 'node:crypto'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Admin } from '@platformatic/kafka'
import { type BrokerUser, scramOptions } from './broker-security.ts'
import { runToEnd } from './finished-process.ts'
import type { Guard } from './guard.ts'
import type { Jars } from './jars.ts'
import { type JavaSizing, javaEnvironment, javaOptions } from './java-options.ts'
import { formatProperties } from './properties-file.ts'
import { type RunningService, supervise } from './supervise.ts'

/** One broker that is its own controller. */
export type KafkaOptions = {
  /** The `java` to run it with. */
  program: string
  jars: Jars
  /** Data, kept between runs. */
  directory: string
  /** The broker's, as `properties` say. */
  port: number
  /** server.properties, but for where the data lies. */
  properties: Record<string, string>
  /** SCRAM users, created with the data. */
  users?: BrokerUser[]
  logFile: string
  guard: Guard
  signal: AbortSignal
}

/** The broker moves bytes; compiling it thoroughly would cost more than it gains. */
const SIZING: JavaSizing = { heapMb: 160, youngMb: 48, compiler: 'quick' }
const log4j = join(import.meta.dirname, 'log4j2.yaml')

/** Starts the broker on 127.0.0.1; resolves once it answers. Throws an Error with the last lines of its log. */
export async function startKafka(options: KafkaOptions): Promise<RunningService> {
  const { program, jars, directory, port, properties, logFile, guard, signal } = options
  await mkdir(directory, { recursive: true })
  const data = join(directory, 'data')
  const file = join(directory, 'server.properties')
  await writeFile(file, formatProperties({ ...properties, 'log.dirs': data }))
  const run = [...javaOptions(SIZING), `-Dlog4j2.configurationFile=${log4j}`, '-cp', jars.classPath]
  if (!(await exists(data))) await format(run, { ...options, data })
  return supervise({
    name: 'kafka',
    command: { file: program, args: [...run, 'kafka.Kafka', file], cwd: directory, env: javaEnvironment() },
    ready: () => answers(port),
    readyWithinMs: 90_000,
    stopSignal: 'SIGTERM',
    stopWithinMs: 1_500,
    logFile,
    guard,
    signal,
  })
}

/** Beside its final place and then renamed: a run that was interrupted leaves no half-formatted storage. */
async function format(
  run: string[],
  { data, directory, program, properties, users = [], signal }: KafkaOptions & { data: string },
) {
  const fresh = `${data}.new`
  const file = join(directory, 'format.properties')
  await rm(fresh, { recursive: true, force: true })
  await writeFile(file, formatProperties({ ...properties, 'log.dirs': fresh }))
  // A cluster id is a UUID in base64url; one that begins with a dash would read as an option.
  const clusterId = `T${randomBytes(16).toString('base64url').slice(1)}`
  const tool = [
    'kafka.tools.StorageTool',
    'format',
    '--standalone',
    '-t',
    clusterId,
    '-c',
    file,
    ...scramOptions(users),
  ]
  try {
    const { code, output } = await runToEnd(program, [...run, ...tool], { cwd: directory, signal })
    if (code !== 0) throw new Error(`kafka: its storage could not be formatted: ${output.trim()}`)
  } finally {
    await rm(file)
  }
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
