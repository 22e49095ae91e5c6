import { join } from 'node:path'
import { basicAuthorization, type ConnectLogin } from '#adapters/connect/connect-api.ts'
import { makePrivateDirectory, writePrivately } from '#localstack/private-file.ts'
import type { Guard } from '#localstack/processes/guard.ts'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { type RunningService, supervise } from '#localstack/processes/supervise.ts'
import type { Jars } from '../java/jars.ts'
import { javaEnvironment, javaOptions, log4jFile, temporaryFiles } from '../java/java-options.ts'
import { formatProperties } from '../java/properties-file.ts'

/** A Kafka Connect worker, as a container of Debezium's image describes it. */
export type ConnectOptions = {
  /** The `java` to run it with. */
  program: string
  jars: Jars
  /** For tests that show what a correction is for: names of those that Debezium is to run without. */
  withoutCorrections?: string
  directory: string
  port: number
  /** The container's variables, secrets included. */
  environment: Record<string, string>
  /** Worker properties that win over the container's. */
  overrides: Record<string, string>
  /** Name and password that its REST API asks for. */
  login: ConnectLogin
  logFile: string
  guard: Guard
  signal: AbortSignal
  /** Hears what it is doing where it takes long to start. */
  onWaiting?: (what: string) => void
}

/** Variables the image's entrypoint gives to the worker under another name, with its defaults. */
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
 * The worker's properties by the rule of Debezium's image (its docker-entrypoint.sh): `CONNECT_A_B` is `a.b`; variables
 * of its own win over their `CONNECT_` twins. Throws an Error that names a variable the image could not take.
 */
export function workerProperties(environment: Readonly<Record<string, string>>): Record<string, string> {
  const properties: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('CONNECT_') || name.startsWith('CONNECT_LOG4J')) continue
    // The entrypoint edits a file with sed and reads `env` by lines: these would deploy as something else.
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

/** Starts the worker on 127.0.0.1; resolves once its REST API answers. Throws an Error with the last lines of its log. */
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
    // Connect runs any connector, which can name the worker's secrets: whoever reaches the port must not register one.
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
  return supervise({
    name: 'connect',
    command: {
      file: program,
      args: [...run, 'org.apache.kafka.connect.cli.ConnectDistributed', file],
      cwd: directory,
      env: { ...javaEnvironment(), ...environment },
    },
    ready: () => answers(port, login),
    ...(onWaiting && { onWaiting }),
    stopSignal: 'SIGTERM',
    // A worker that leaves its group in order takes longer; being killed is what it is built for.
    stopWithinMs: 2_500,
    logFile,
    guard,
    signal,
  })
}

/** Writes down whom the REST API lets in; gives the file that tells Java's login module. */
async function writeLogin(directory: string, { username, password }: ConnectLogin): Promise<string> {
  const users = join(directory, 'rest-users.properties')
  await writePrivately(users, formatProperties({ [username]: password }))
  const file = join(directory, 'rest-login.conf')
  const loginModule = 'org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule'
  await writePrivately(file, `KafkaConnect {\n  ${loginModule} required file="${users}";\n};\n`)
  return file
}

/** Its REST API listens before the worker has joined its group: only then it takes connectors. */
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
