import type { BrokerAccess } from '#localstack/broker-access.ts'
import { makePrivateDirectory } from '#localstack/private-file.ts'
import type { RunningService } from '#localstack/processes/supervise.ts'
import {
  BROKER_SUBJECT,
  type BrokerListener,
  type BrokerUser,
  listenerProperties,
  loginToOthers,
  scramAccess,
} from './broker-listeners.ts'
import { type BrokerNode, brokerName, quorumProperties } from './broker-nodes.ts'
import type { CertificateAuthority } from './certificate-authority.ts'
import { type KafkaOptions, startKafka } from './kafka.ts'

/** Who is let in where not everybody is. */
export type ClusterSecurity = {
  authority: CertificateAuthority
  /** As whom brokers log in to each other. Created with the data, as the administrator is; both may do everything. */
  brokers: BrokerUser
  administrator: BrokerUser
}

export type KafkaClusterOptions = Pick<
  KafkaOptions,
  'program' | 'jars' | 'clusterId' | 'guard' | 'signal' | 'onWaiting'
> & {
  nodes: readonly BrokerNode[]
  /** Data of a node, kept between runs, by the node's name. */
  directory: (name: string) => string
  logFile: (name: string) => string
  /** server.properties of every node, but for who listens where. */
  properties: Record<string, string>
  /** Absent: plain text, and everybody may do everything. */
  security?: ClusterSecurity
}

/** Starts the nodes at once: none answers before most of them do. Rejects with the first failure, once all have ended. */
export async function startKafkaCluster(options: KafkaClusterOptions): Promise<RunningService[]> {
  const { nodes } = options
  const failed = new AbortController()
  const signal = AbortSignal.any([options.signal, failed.signal])
  const starting = nodes.map((node) => startNode(node, { ...options, signal }))
  // Without it the others would wait for a majority that never comes.
  for (const each of starting) each.catch((reason) => failed.abort(reason))
  const outcomes = await Promise.allSettled(starting)
  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  if (started.length === nodes.length) return started
  await Promise.all(started.map((service) => service.stop()))
  throw failed.signal.reason
}

async function startNode(node: BrokerNode, options: KafkaClusterOptions): Promise<RunningService> {
  const { nodes, security, directory, logFile, properties, ...shared } = options
  const name = brokerName(node, nodes)
  const place = directory(name)
  await makePrivateDirectory(place)
  const listeners = listenersOf(node, security)
  return startKafka({
    ...shared,
    name,
    directory: place,
    logFile: logFile(name),
    port: node.port,
    properties: {
      ...properties,
      ...quorumProperties(node, nodes),
      ...(await listenerProperties(listeners, security && { authority: security.authority, directory: place })),
      'inter.broker.listener.name': listeners[0].name,
      ...(security && authorization(security, listeners[0])),
    },
    isQuorumListed: nodes.length > 1,
    ...(security && { users: [security.brokers, security.administrator], access: administratorAccess(security) }),
  })
}

/** Clients and other brokers first, controllers second. */
const listenersOf = (
  { port, controllerPort }: BrokerNode,
  security: ClusterSecurity | undefined,
): [BrokerListener, BrokerListener] =>
  security === undefined
    ? [
        { name: 'PLAINTEXT', port, protocol: 'PLAINTEXT' },
        { name: 'CONTROLLER', port: controllerPort, protocol: 'PLAINTEXT' },
      ]
    : [
        { name: 'SECURE', port, protocol: 'SASL_SSL', mechanisms: ['SCRAM-SHA-512'] },
        // Passwords are in the metadata that controllers agree on: they know each other by certificates.
        { name: 'CONTROLLER', port: controllerPort, protocol: 'SSL' },
      ]

/** Whoever no rule lets in is kept out. */
function authorization({ brokers, administrator }: ClusterSecurity, listener: BrokerListener) {
  const superUsers = [BROKER_SUBJECT, brokers.name, administrator.name]
  return {
    ...loginToOthers(listener, brokers),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'false',
    'super.users': superUsers.map((name) => `User:${name}`).join(';'),
  }
}

/** How the administrator reaches the brokers. */
export const administratorAccess = ({ authority, administrator }: ClusterSecurity): BrokerAccess =>
  scramAccess(administrator, authority.certificate)
