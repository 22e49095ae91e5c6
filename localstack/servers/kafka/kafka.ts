import { randomBytes } from 'node:crypto'
import { rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Admin } from '@platformatic/kafka'
import type { BrokerAccess } from '#localstack/broker-access.ts'
import { makePrivateDirectory } from '#localstack/private-file.ts'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import type { Guard } from '#localstack/processes/guard.ts'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { type RunningService, supervise } from '#localstack/processes/supervise.ts'
import { serverClasses, withClassArchive } from '../java/class-archive.ts'
import type { Jars } from '../java/jars.ts'
import { type JavaSizing, javaEnvironment, javaOptions, log4jFile, temporaryFiles } from '../java/java-options.ts'
import { formatProperties } from '../java/properties-file.ts'
import { type BrokerUser, scramOptions } from './broker-listeners.ts'

/** A broker that is also a controller of its cluster. */
export type KafkaOptions = {
  /** Such as `kafka`. */
  name: string
  /** The same for all nodes of the cluster. */
  clusterId: string
  /** The `java` that runs it. */
  program: string
  jars: Jars
  /** Directory of the data, which is kept between runs. */
  directory: string
  /** The broker's port, which `properties` contain, too. */
  port: number
  /** server.properties, without the directory of the data. */
  properties: Record<string, string>
  /** Whether the properties list the controllers. Otherwise the storage names this one. */
  isQuorumListed: boolean
  /** SCRAM users, which are created with the data. */
  users?: readonly BrokerUser[]
  /** How to log in when it is asked whether it answers; plain text if absent. */
  access?: BrokerAccess
  logFile: string
  guard: Guard
  signal: AbortSignal
  /** Gets a text that says what it is doing, when it takes long to start. */
  onWaiting?: (what: string) => void
}

/** The broker mostly moves bytes, so that compiling it thoroughly would cost more than it gains. */
const SIZING: JavaSizing = { heapMb: 160, youngMb: 48, compiler: 'quick' }

/** Starts the broker on 127.0.0.1; resolves when it answers. Throws an Error with the last lines of its log. */
export async function startKafka(options: KafkaOptions): Promise<RunningService> {
  const { name, program, jars, directory, port, properties, logFile, guard, signal, onWaiting, access = {} } = options
  await makePrivateDirectory(directory)
  const data = join(directory, 'data')
  const file = join(directory, 'server.properties')
  await writeFile(file, formatProperties({ ...properties, 'log.dirs': data }), { mode: 0o600 })
  const temporary = await temporaryFiles(directory)
  const run = [...javaOptions(SIZING), ...temporary, `-Dlog4j2.configurationFile=${log4jFile}`, '-cp', jars.classPath]
  if (!(await exists(data))) await format(run, { ...options, data })
  const classes = serverClasses('kafka', { program, jars, directory })
  return supervise({
    name,
    ...(await withClassArchive(classes, (options) => ({
      ...{ file: program, args: [...options, ...run, 'kafka.Kafka', file], cwd: directory, env: javaEnvironment() },
    }))),
    ready: () => answers(port, access, Number(properties['node.id'])),
    ...(onWaiting && { onWaiting }),
    stopSignal: 'SIGTERM',
    stopWithinMs: 1_500,
    logFile,
    guard,
    signal,
  })
}

/**
 * Formats the storage beside its final place and then renames it, so that an interrupted run leaves no half-formatted
 * storage.
 */
async function format(
  run: string[],
  { data, directory, program, properties, users = [], ...options }: KafkaOptions & { data: string },
) {
  const { name, clusterId, isQuorumListed, signal } = options
  const fresh = `${data}.new`
  const file = join(directory, 'format.properties')
  await rm(fresh, { recursive: true, force: true })
  await writeFile(file, formatProperties({ ...properties, 'log.dirs': fresh }), { mode: 0o600 })
  // The arguments contain passwords. They are passed in a file, because every user of the machine can read the
  // arguments of a process.
  const argumentsFile = join(directory, 'format.arguments')
  const tool = [
    ...run,
    'kafka.tools.StorageTool',
    'format',
    ...(isQuorumListed ? [] : ['--standalone']),
    '-t',
    clusterId,
    '-c',
    file,
    ...scramOptions(users),
  ]
  await writeFile(argumentsFile, formatArguments(tool), { mode: 0o600 })
  try {
    const { code, output } = await runToEnd(program, [`@${argumentsFile}`], { cwd: directory, signal })
    if (code !== 0) throw new Error(`${name}: its storage could not be formatted: ${output.trim()}`)
  } finally {
    await rm(file)
    await rm(argumentsFile)
  }
  await rename(fresh, data)
}

/** Arguments in the format of `java @file`. */
const formatArguments = (values: readonly string[]): string =>
  values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"\n`).join('')

/** A UUID in base64url, as Kafka requires. Its first character is a letter, because a dash would read as an option. */
export const makeClusterId = (): string => `T${randomBytes(16).toString('base64url').slice(1)}`

/** Whether the node is among the brokers. A node that answers but is not among them has not caught up yet. */
async function answers(port: number, access: BrokerAccess, node: number): Promise<boolean> {
  const admin = new Admin({
    clientId: 'tidemark-engine',
    bootstrapBrokers: [`127.0.0.1:${port}`],
    retries: 0,
    connectTimeout: ANSWER_MS,
    ...access,
  })
  try {
    return (await admin.metadata({ topics: [] })).brokers.has(node)
  } catch {
    return false
  } finally {
    await admin.close()
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}
