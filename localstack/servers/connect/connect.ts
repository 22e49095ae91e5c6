import { join } from 'node:path'
import { basicAuthorization, type ConnectLogin } from '#adapters/connect/connect-api.ts'
import { makePrivateDirectory, writePrivately } from '#localstack/private-file.ts'
import type { Guard } from '#localstack/processes/guard.ts'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { type RunningService, supervise } from '#localstack/processes/supervise.ts'
import { serverClasses, withClassArchive } from '../java/class-archive.ts'
import type { Jars } from '../java/jars.ts'
import { javaEnvironment, javaOptions, log4jFile, temporaryFiles } from '../java/java-options.ts'
import { formatProperties } from '../java/properties-file.ts'

/** A Kafka Connect worker, with the configuration of a container of Debezium's image. */
export type ConnectOptions = {
  /** The `java` that runs it. */
  program: string
  jars: Jars
  /** For tests that show why a correction is needed: the names of corrections without which Debezium runs. */
  withoutCorrections?: string
  directory: string
  port: number
  /** The container's variables, with their secrets. */
  environment: Record<string, string>
  /** Worker properties that replace the container's. */
  overrides: Record<string, string>
  /** Name and password that its REST API requires. */
  login: ConnectLogin
  logFile: string
  guard: Guard
  signal: AbortSignal
  /** Gets a text that says what it is doing, when it takes long to start. */
  onWaiting?: (what: string) => void
}

/** Variables that the image's entrypoint passes to the worker under another name, with the entrypoint's defaults. */
const OWN_VARIABLES: Readonly<Record<string, { property: string; usual?: string }>> = {
  BOOTSTRAP_SERVERS: { property: 'bootstrap.servers' },
  GROUP_ID: { property: 'group.id', usual: '1' },
  CONFIG_STORAGE_TOPIC: { property: 'config.storage.topic' },
  OFFSET_STORAGE_TOPIC: { property: 'offset.storage.topic' },
  STATUS_STORAGE_TOPIC: { property: 'status.storage.topic', usual: 'connect-status' },
  KEY_CONVERTER: { property: 'key.converter', usual: 'org.apache.kafka.connect.json.JsonConverter' },
  VALUE_CONVERTER: { property: 'value.converter', usual: 'org.apache.kafka.connect.json.JsonConverter' },
  OFFSET_FLUSH_INTERVAL_MS: { property: 'offset.flush.interval.ms', usual: '60000' },
  OFFSET_FLUSH_TIMEOUT_MS: { property: 'offset.flush.timeout.ms', usual: '5000' },
  SHUTDOWN_TIMEOUT: { property: 'task.shutdown.graceful.timeout.ms', usual: '10000' },
}

/**
 * The worker's properties by the rule of Debezium's image (its docker-entrypoint.sh): `CONNECT_A_B` becomes `a.b`, and
 * the image's own variables replace their `CONNECT_` forms. Throws an Error that names a variable which the image would
 * change.
 */
export function workerProperties(environment: Readonly<Record<string, string>>): Record<string, string> {
  const properties: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('CONNECT_') || name.startsWith('CONNECT_LOG4J')) continue
    // The entrypoint edits a file with sed and reads `env` line by line, so it would change such a value.
    if (/[@\n]/.test(value))
      throw new Error(`container variable ${name} holds '@' or a line break, which the image cannot take`)
    properties[name.slice('CONNECT_'.length).toLowerCase().replaceAll('_', '.')] = value
  }
  for (const [name, { property, usual }] of Object.entries(OWN_VARIABLES)) {
    const value = environment[name] || usual
    if (value === undefined) throw new Error(`container variable ${name} is missing`)
    properties[property] = value
  }
  return properties
}

/**
 * Starts the worker on 127.0.0.1; resolves when its REST API answers. Throws an Error with the last lines of its log.
 */
export async function startConnect(options: ConnectOptions): Promise<RunningService> {
  const {
    program,
    jars,
    withoutCorrections,
    directory,
    port,
    environment,
    overrides,
    login,
    logFile,
    guard,
    signal,
    onWaiting,
  } = options
  await makePrivateDirectory(directory)
  const file = join(directory, 'connect.properties')
  const properties = {
    ...{ ...workerProperties(environment), ...overrides, 'plugin.path': jars.pluginPath },
    // Connect runs any connector, and a connector can read the worker's secrets. So registering one requires the login,
    // because other users of the machine can reach the port.
    'rest.extension.classes': 'org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension',
  }
  await writePrivately(file, formatProperties(properties))
  const heapMb = Number(/-Xmx(\d+)m/.exec(environment['HEAP_OPTS'] ?? '')?.[1] ?? 512)
  const run = [
    ...javaOptions({ heapMb, youngMb: Math.floor(heapMb / 4), compiler: 'thorough' }),
    ...(await temporaryFiles(directory)),
    `-javaagent:${jars.captureAgent}${withoutCorrections ? `=without=${withoutCorrections}` : ''}`,
    `-Dlog4j2.configurationFile=${log4jFile}`,
    `-Djava.security.auth.login.config=${await writeLogin(directory, login)}`,
    '-cp',
    jars.classPath,
  ]
  const classes = serverClasses('connect', { program, jars, directory })
  return supervise({
    name: 'connect',
    ...(await withClassArchive(classes, (options) => ({
      file: program,
      args: [...options, ...run, 'org.apache.kafka.connect.cli.ConnectDistributed', file],
      cwd: directory,
      env: { ...javaEnvironment(), ...environment },
    }))),
    ready: () => answers(port, login),
    ...(onWaiting && { onWaiting }),
    stopSignal: 'SIGTERM',
    // A worker takes longer to leave its group in order. It is killed instead, for which Connect is designed.
    stopWithinMs: 2_500,
    logFile,
    guard,
    signal,
  })
}

/** Writes the users that the REST API lets in. Returns the file that configures Java's login module. */
async function writeLogin(directory: string, { username, password }: ConnectLogin): Promise<string> {
  const users = join(directory, 'rest-users.properties')
  await writePrivately(users, formatProperties({ [username]: password }))
  const file = join(directory, 'rest-login.conf')
  const loginModule = 'org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule'
  await writePrivately(file, `KafkaConnect {\n  ${loginModule} required file="${users}";\n};\n`)
  return file
}

/** Whether the worker has joined its group. Its REST API listens before that, but does not take connectors yet. */
async function answers(port: number, login: ConnectLogin): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/connectors`, {
      signal: AbortSignal.timeout(ANSWER_MS),
      headers: { authorization: basicAuthorization(login) },
    })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
