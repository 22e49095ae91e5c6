import type { BrokerCount } from '#localstack/settings.ts'

/** A broker on 127.0.0.1 that is also a controller of its cluster. */
export type BrokerNode = {
  /** Counted from 1. */
  id: number
  /** The port for clients and other brokers. */
  port: number
  controllerPort: number
}

/** The nodes of a cluster. Each takes two ports, counted up from the first. */
export function brokerNodes({ kafkaPort, brokers }: { kafkaPort: number; brokers: BrokerCount }): BrokerNode[] {
  return Array.from({ length: brokers }, (_, index) => {
    const port = kafkaPort + 2 * index
    return { id: index + 1, port, controllerPort: port + 1 }
  })
}

/** `kafka`, or `kafka-<id>` when there are several. */
export const brokerName = ({ id }: BrokerNode, nodes: readonly BrokerNode[]): string =>
  nodes.length === 1 ? 'kafka' : `kafka-${id}`

/** Replicas of a topic partition, and how many of them have to have a record before it counts as written. */
export const replicasOf = (brokers: BrokerCount): { count: number; inSync: number } =>
  brokers === 1 ? { count: 1, inSync: 1 } : { count: 3, inSync: 2 }

/**
 * The properties that make the nodes one cluster. Three nodes are listed, so that their addresses are in the
 * configuration alone and may change between runs. A single node finds itself, by the controller that its storage
 * names.
 */
export function quorumProperties(node: BrokerNode, nodes: readonly BrokerNode[]): Record<string, string> {
  const own = {
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'controller.listener.names': 'CONTROLLER',
  }
  if (nodes.length === 1) {
    return { ...own, 'controller.quorum.bootstrap.servers': `127.0.0.1:${node.controllerPort}` }
  }
  const voters = nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`)
  return { ...own, 'controller.quorum.voters': voters.join(',') }
}
