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
import type { Stack } from './template.ts'

/** A mapping that polls, and the properties that it was made of. */
export type AccountMapping = {
  definition: MappingDefinition
  mapping: RunningEventSourceMapping
  uuid: string
  properties: Properties
  changedAt: Date
}

/** What stand-ins find and leave behind: the place of an AWS account on one machine. */
export type LocalAccount = {
  stack: Stack
  settings: Settings
  /** `run` brings the stack up; `remove` brings up what is needed to take it down as CloudFormation would. */
  purpose: 'run' | 'remove'
  /** Aborted when the stack stops, also while it starts. */
  signal: AbortSignal
  guard: Guard
  java: Promise<{ program: string; jars: Jars }>
  functions: FunctionHost
  endpoint: Endpoint
  secrets: SecretStore
  /** What the servers ask their clients for. */
  key: StackKey
  record: DeploymentRecord
  /** Runs work under a name such as `kafka`. */
  step: Step
  /** Writes a line to the log of that name. */
  log: (name: string, line: string) => void

  /** Servers that need no other, in the order they came up. */
  servers: RunningService[]
  /** Servers that live on those: they end first. */
  workers: RunningService[]
  /** Servers that several resources use, by name: begun by the first that needs one. */
  shared: Map<string, Promise<void>>
  /** Event source mappings, by logical id. */
  mappings: Map<string, AccountMapping>
  schedules: { stop: () => void }[]
  /** What takes custom resources down, in the order they came up. */
  removals: (() => Promise<void>)[]

  /** Parameters of a DBParameterGroup, by its name. */
  parameterGroups: Map<string, Record<string, string>>
  /** Databases, by the instance's identifier. */
  databases: Map<string, { host: string; port: number; dbname: string }>
  /** server.properties, by the configuration's ARN. */
  brokerConfigurations: Map<string, Record<string, string>>
  /** Clusters, by their ARN. */
  clusters: Map<string, Cluster>
  /** How who may do everything logs in to a cluster, by its ARN; none where everybody may. */
  administrators: Map<string, BrokerAccess>
  /** Variables of the Connect container, by the task definition's ARN. */
  containers: Map<string, Record<string, string>>
  /** Names of Cloud Map namespaces, by id. */
  namespaces: Map<string, string>
  /** `host:port` inside the network, and where it is here. */
  addresses: Map<string, string>
}

/** `arn:aws:<service>:<region>:<account>:<resource>`. */
export function arn({ region, account }: Pick<Stack, 'region' | 'account'>, service: string, resource: string): string {
  return `arn:aws:${service}:${region}:${account}:${resource}`
}

/** Where the brokers are, as clients take it: `host:port,…`. */
export const bootstrapServers = (settings: Pick<Settings, 'kafkaPort' | 'brokers' | 'kafkaBootstrap'>): string =>
  settings.kafkaBootstrap ??
  brokerNodes(settings)
    .map(({ port }) => `127.0.0.1:${port}`)
    .join(',')

/** MSK's certificates are of an authority that everybody trusts; pollers are told who is trusted for a cluster of ours. */
export function clusterTrust(
  { administrators }: Pick<LocalAccount, 'administrators'>,
  clusterArn: string | undefined,
): { brokerAccess?: BrokerAccess } {
  const tls = administrators.get(clusterArn ?? '')?.tls
  return tls === undefined ? {} : { brokerAccess: { tls } }
}

/** Name of the secret with who is let in by Connect's REST API. The template has none: on AWS it is in a private network. */
export const CONNECT_SECRET = 'tidemark-local-connect'

/** Who that is. */
export const connectLogin = ({ token }: StackKey) => ({ username: CONNECT_USER, password: token })

/** The same as MSK's GetBootstrapBrokers gives it. */
export const brokerStrings = (settings: Settings): Record<string, string> => ({
  [settings.secure ? 'bootstrapBrokerStringSaslScram' : 'bootstrapBrokerString']: bootstrapServers(settings),
})

/** The object store, and the Iceberg REST catalog without its `/iceberg`, as AWS's endpoints are given. */
export const objectStoreUrl = ({ objectStorePort }: Pick<Settings, 'objectStorePort'>): string =>
  `http://127.0.0.1:${objectStorePort}`
export const catalogUrl = ({ catalogPort }: Pick<Settings, 'catalogPort'>): string => `http://127.0.0.1:${catalogPort}`

/** Services of AWS that servers of their own stand for, as AWS's clients name them in `AWS_ENDPOINT_URL_<service>`. */
export const serviceUrls = (settings: Settings): Record<string, string> => ({
  S3: objectStoreUrl(settings),
  S3TABLES: catalogUrl(settings),
  GLUE: catalogUrl(settings),
})
