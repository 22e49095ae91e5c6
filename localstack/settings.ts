import { join } from 'node:path'

/** One broker, which has the only copy, or three, which have a copy each. */
export type BrokerCount = 1 | 3

/** Ports, directories and existing databases of the local stack. */
export type Settings = {
  /** Directory of data, logs and secrets. */
  directory: string
  /** Port of the first embedded database server; the next ones count up. */
  postgresPort: number
  /**
   * Port of the first broker. Its controller listens on the next port, and each further broker takes the two that
   * follow.
   */
  kafkaPort: number
  brokers: BrokerCount
  /** Whether clients of the brokers log in by name and password, over TLS. */
  secure: boolean
  connectPort: number
  objectStorePort: number
  /** Port of the Iceberg REST catalog. */
  catalogPort: number
  endpointPort: number
  /** Port of LocalStack, when that is the engine. */
  localStackPort: number
  /** The lowest epoch of the source. When it is greater than before, every table is read again. */
  epoch?: number
  /** Existing brokers, as `host:port,…`, which are used instead of embedded ones, in plain text. */
  kafkaBootstrap?: string
  /** Existing databases, which are used instead of embedded ones. */
  sourceUrl?: string
  targetUrl?: string
  /**
   * How long an idle function process stays as it is, in milliseconds. AWS keeps one for some minutes. When absent, the
   * process soon gives memory back and ends.
   */
  functionsWarmMs?: number
}

/** The checkout that contains this file. */
export const repository = join(import.meta.dirname, '..')

/** The directory of everything, unless TIDEMARK_DIRECTORY names another one. */
export const ownDirectory = join(repository, '.tidemark')

/** Jars of the servers that run on the JVM. All stacks share them, whatever their directory is. */
export const jarsDirectory = join(ownDirectory, 'jars')

/** Reads the `TIDEMARK_…` variables. Throws an Error that names the one that is malformed. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const { TIDEMARK_SOURCE_URL: sourceUrl, TIDEMARK_TARGET_URL: targetUrl } = environment
  const kafkaBootstrap = environment['TIDEMARK_KAFKA_BOOTSTRAP']
  return {
    directory: environment['TIDEMARK_DIRECTORY'] || ownDirectory,
    postgresPort: port(environment, 'TIDEMARK_POSTGRES_PORT', 15432),
    kafkaPort: port(environment, 'TIDEMARK_KAFKA_PORT', 19092),
    brokers: readBrokerCount('TIDEMARK_BROKERS', environment['TIDEMARK_BROKERS'] || '1'),
    secure: truth(environment, 'TIDEMARK_SECURE'),
    connectPort: port(environment, 'TIDEMARK_CONNECT_PORT', 18083),
    objectStorePort: port(environment, 'TIDEMARK_OBJECT_STORE_PORT', 19000),
    catalogPort: port(environment, 'TIDEMARK_CATALOG_PORT', 18181),
    endpointPort: port(environment, 'TIDEMARK_ENDPOINT_PORT', 14566),
    localStackPort: port(environment, 'TIDEMARK_LOCALSTACK_PORT', 4566),
    ...(environment['TIDEMARK_EPOCH'] && { epoch: wholeNumber(environment, 'TIDEMARK_EPOCH') }),
    ...(kafkaBootstrap && { kafkaBootstrap: servers(kafkaBootstrap, 'TIDEMARK_KAFKA_BOOTSTRAP') }),
    ...(sourceUrl && { sourceUrl: databaseUrl(sourceUrl, 'TIDEMARK_SOURCE_URL') }),
    ...(targetUrl && { targetUrl: databaseUrl(targetUrl, 'TIDEMARK_TARGET_URL') }),
  }
}

/** The port of the console, and whether it may do anything but show. */
export type ConsoleSettings = { port: number; allowsActions: boolean }

/** Reads the variables of the console. Throws an Error that names the one that is malformed. */
export const readConsoleSettings = (environment: NodeJS.ProcessEnv): ConsoleSettings => ({
  port: port(environment, 'TIDEMARK_CONSOLE_PORT', 15480),
  allowsActions: truth(environment, 'TIDEMARK_CONSOLE_ACTIONS'),
})

/** Reads the number of brokers. Throws an Error that names the setting. */
export function readBrokerCount(name: string, text: string): BrokerCount {
  if (text === '1') return 1
  if (text === '3') return 3
  throw new Error(`${name} ${text} is not a number of brokers: it can be 1, or 3 that keep a copy each`)
}

function truth(environment: NodeJS.ProcessEnv, name: string): boolean {
  const text = environment[name] || '0'
  if (text === '0' || text === '1') return text === '1'
  throw new Error(`${name}=${text} is neither 0 nor 1`)
}

function wholeNumber(environment: NodeJS.ProcessEnv, name: string): number {
  const value = Number(environment[name])
  if (Number.isInteger(value) && value >= 1) return value
  throw new Error(`${name}=${environment[name]} is not a number from 1`)
}

function port(environment: NodeJS.ProcessEnv, name: string, usual: number): number {
  const text = environment[name]
  if (!text) return usual
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1024 && value <= 65534) return value
  throw new Error(`${name}=${text} is not a port; use a number from 1024 to 65534`)
}

function servers(text: string, name: string): string {
  if (text.split(',').every((server) => /^[^,:\s]+:\d{1,5}$/.test(server))) return text
  throw new Error(`${name}=${text} is not a list of brokers; write host:9092,another:9092`)
}

function databaseUrl(text: string, name: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const complete = url?.username && url.hostname && url.pathname.length > 1
  if (url && complete && /^postgres(ql)?:$/.test(url.protocol)) return text
  throw new Error(`${name} is not a database URL; write postgres://user:password@host:5432/database`)
}
