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

/** The authority and the users of a cluster that requires a login. */
export type ClusterSecurity = {
  authority: CertificateAuthority
  /**
   * The user as which brokers log in to each other. It and the administrator are created with the data, and may do
   * everything.
   */
  brokers: BrokerUser
  administrator: BrokerUser
}

export type KafkaClusterOptions = Pick<
  KafkaOptions,
  'program' | 'jars' | 'clusterId' | 'guard' | 'signal' | 'onWaiting'
> & {
  nodes: readonly BrokerNode[]
  /** Directory of a node's data, by the node's name. It is kept between runs. */
  directory: (name: string) => string
  logFile: (name: string) => string
  /** server.properties of every node, without the listeners. */
  properties: Record<string, string>
  /** Absent: the brokers use plain text, and every client may do everything. */
  security?: ClusterSecurity
}

/**
 * Starts all nodes at once, because none answers before most of them run. Rejects with the first failure, after all
 * have ended.
 */
export async function startKafkaCluster(options: KafkaClusterOptions): Promise<RunningService[]> {
  const { nodes } = options
  const failed = new AbortController()
  const signal = AbortSignal.any([options.signal, failed.signal])
  const starting = nodes.map((node) => startNode(node, { ...options, signal }))
  // Without this the other nodes would wait for a majority that never comes.
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

/** The listener for clients and other brokers is first, that for controllers second. */
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
        // Passwords are in the metadata that controllers agree on, so controllers have to identify each other by
        // certificates.
        { name: 'CONTROLLER', port: controllerPort, protocol: 'SSL' },
      ]

/** A user to which no rule gives rights has none. */
function authorization({ brokers, administrator }: ClusterSecurity, listener: BrokerListener) {
  const superUsers = [BROKER_SUBJECT, brokers.name, administrator.name]
  return {
    ...loginToOthers(listener, brokers),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'false',
    'super.users': superUsers.map((name) => `User:${name}`).join(';'),
  }
}

/** How the administrator logs in to the brokers. */
export const administratorAccess = ({ authority, administrator }: ClusterSecurity): BrokerAccess =>
  scramAccess(administrator, authority.certificate)
