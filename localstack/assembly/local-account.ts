import type { BrokerAccess } from '#localstack/broker-access.ts'
import type { Cluster } from '#localstack/endpoint/clusters-api.ts'
import type { Endpoint } from '#localstack/endpoint/endpoint.ts'
import type { MappingDefinition } from '#localstack/event-source-mapping/definition/mapping-definition.ts'
import type { Properties } from '#localstack/event-source-mapping/definition/properties.ts'
import type { RunningEventSourceMapping } from '#localstack/event-source-mapping/event-source-mapping.ts'
import type { FunctionHost } from '#localstack/lambda-host/function-host.ts'
import type { Guard } from '#localstack/processes/guard.ts'
import type { RunningService } from '#localstack/processes/supervise.ts'
import type { Step } from '#localstack/progress.ts'
import type { Jars } from '#localstack/servers/java/jars.ts'
import { brokerNodes } from '#localstack/servers/kafka/broker-nodes.ts'
import type { Settings } from '#localstack/settings.ts'
import { CONNECT_USER, type StackKey } from '#localstack/stack-key.ts'
import type { DeploymentRecord } from './deployment-record.ts'
import type { SecretStore } from './secret-store.ts'
import type { Stack } from './template/template.ts'

/** A mapping that polls, with the properties from which it was made. */
export type AccountMapping = {
  definition: MappingDefinition
  mapping: RunningEventSourceMapping
  uuid: string
  properties: Properties
  changedAt: Date
}

/**
 * The state of a local stack, which takes the place of an AWS account. Stand-ins find here what others have brought up,
 * and add what they bring up.
 */
export type LocalAccount = {
  stack: Stack
  settings: Settings
  /** `run` starts the stack. `remove` starts only what is needed to delete it as CloudFormation would. */
  purpose: 'run' | 'remove'
  /** Aborted when the stack stops, also when it stops while it is starting. */
  signal: AbortSignal
  guard: Guard
  java: Promise<{ program: string; jars: Jars }>
  functions: FunctionHost
  endpoint: Endpoint
  secrets: SecretStore
  /** The credentials that the servers require of their clients. */
  key: StackKey
  record: DeploymentRecord
  /** Runs work as a step with a name such as `kafka`. */
  step: Step
  /** Writes a line to the log of that name. */
  log: (name: string, line: string) => void

  /** Servers that need no other server, in the order in which they came up. */
  servers: RunningService[]
  /** Servers that need those in `servers`. They are stopped first. */
  workers: RunningService[]
  /** Servers that several resources use, by name. The first resource that needs one starts it. */
  shared: Map<string, Promise<void>>
  /** Event source mappings, by logical id; one that the API made is listed by its UUID. */
  mappings: Map<string, AccountMapping>
  schedules: { stop: () => void }[]
  /** Functions that delete the custom resources, in the order in which the resources came up. */
  removals: (() => Promise<void>)[]

  /** Parameters of a DBParameterGroup, by its name. */
  parameterGroups: Map<string, Record<string, string>>
  /** Databases, by the instance's identifier. */
  databases: Map<string, { host: string; port: number; dbname: string }>
  /** server.properties, by the configuration's ARN. */
  brokerConfigurations: Map<string, Record<string, string>>
  /** Clusters, by their ARN. */
  clusters: Map<string, Cluster>
  /** The administrator's login to a cluster, by the cluster's ARN. A cluster without logins has no entry. */
  administrators: Map<string, BrokerAccess>
  /** Variables of the Connect container, by the task definition's ARN. */
  containers: Map<string, Record<string, string>>
  /** Names of Cloud Map namespaces, by id. */
  namespaces: Map<string, string>
  /** From `host:port` in AWS's network to the address on this machine. */
  addresses: Map<string, string>
}

/** `arn:aws:<service>:<region>:<account>:<resource>`. */
export function arn({ region, account }: Pick<Stack, 'region' | 'account'>, service: string, resource: string): string {
  return `arn:aws:${service}:${region}:${account}:${resource}`
}

/** Addresses of the brokers, in the form that clients take: `host:port,…`. */
export const bootstrapServers = (settings: Pick<Settings, 'kafkaPort' | 'brokers' | 'kafkaBootstrap'>): string =>
  settings.kafkaBootstrap ??
  brokerNodes(settings)
    .map(({ port }) => `127.0.0.1:${port}`)
    .join(',')

/**
 * How to trust a cluster's certificates. Clients trust MSK's public authority by default. A local cluster has an
 * authority of its own, so pollers get its certificate.
 */
export function clusterTrust(
  { administrators }: Pick<LocalAccount, 'administrators'>,
  clusterArn: string | undefined,
): { brokerAccess?: BrokerAccess } {
  const tls = administrators.get(clusterArn ?? '')?.tls
  return tls === undefined ? {} : { brokerAccess: { tls } }
}

/**
 * Name of the secret with the login of Connect's REST API. The template has no such secret, because on AWS the API can
 * be reached in a private network only.
 */
export const CONNECT_SECRET = 'tidemark-local-connect'

/** The user name and password in that secret. */
export const connectLogin = ({ token }: StackKey) => ({ username: CONNECT_USER, password: token })

/** Addresses of the brokers in the form of MSK's GetBootstrapBrokers. */
export const brokerStrings = (settings: Settings): Record<string, string> => ({
  [settings.secure ? 'bootstrapBrokerStringSaslScram' : 'bootstrapBrokerString']: bootstrapServers(settings),
})

/**
 * URLs of the object store and of the Iceberg REST catalog (without its `/iceberg`), in the form of AWS's endpoints.
 */
export const objectStoreUrl = ({ objectStorePort }: Pick<Settings, 'objectStorePort'>): string =>
  `http://127.0.0.1:${objectStorePort}`
export const catalogUrl = ({ catalogPort }: Pick<Settings, 'catalogPort'>): string => `http://127.0.0.1:${catalogPort}`

/**
 * URLs of the AWS services that have a local server of their own, by the names of AWS's clients in
 * `AWS_ENDPOINT_URL_<service>`.
 */
export const serviceUrls = (settings: Settings): Record<string, string> => ({
  S3: objectStoreUrl(settings),
  S3TABLES: catalogUrl(settings),
  GLUE: catalogUrl(settings),
})
