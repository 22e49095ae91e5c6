import { setTimeout as pause } from 'node:timers/promises'
import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from '@platformatic/kafka'
import type { Administration } from './broker-rights.ts'

/** A topic as the template declares it. */
export type Topic = { name: string; partitions: number; replicas: number; configuration: Record<string, string> }

/**
 * Creates the topic, or sets the configuration of an existing one. Throws an Error when it exists with another number
 * of topic partitions, because keys would move between these and lose their order.
 */
export async function ensureTopic({ bootstrapBrokers, access }: Administration, topic: Topic): Promise<void> {
  const admin = new Admin({ clientId: 'tidemark-engine', bootstrapBrokers, ...access })
  try {
    const configs = Object.entries(topic.configuration).map(([name, value]) => ({ name, value }))
    const existing = await partitionsOf(admin, topic.name)
    if (existing === undefined) {
      const { name, partitions, replicas } = topic
      await admin.createTopics({ topics: [name], partitions, replicas, configs })
    } else if (existing !== topic.partitions) {
      throw new Error(
        `topic ${topic.name} has ${existing} topic partitions, the template wants ${topic.partitions}. Name ${existing} in cdk/stages.ts, or run "npm run reset" to begin again without data.`,
      )
    } else if (configs.length > 0) {
      const changes = configs.map((config) => ({
        ...config,
        configOperation: IncrementalAlterConfigOperationTypes.SET,
      }))
      const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic.name, configs: changes }
      await admin.incrementalAlterConfigs({ resources: [resource] })
    }
  } finally {
    await admin.close()
  }
}

async function partitionsOf(admin: Admin, name: string): Promise<number | undefined> {
  const names = await admin.listTopics()
  if (!names.includes(name)) return undefined
  return (await admin.metadata({ topics: [name] })).topics.get(name)?.partitionsCount
}

const REACH_MS = 20_000

/** Waits until existing brokers answer. Throws an Error that names them when they do not. */
export async function reachBrokers(bootstrapServers: string, signal: AbortSignal): Promise<void> {
  const options = { clientId: 'tidemark-engine', bootstrapBrokers: bootstrapServers.split(','), retries: 0 }
  const admin = new Admin({ ...options, connectTimeout: 2_000 })
  try {
    for (const deadline = Date.now() + REACH_MS; ; await pause(200, undefined, { signal })) {
      const failure = await admin.metadata({ topics: [] }).then(
        () => undefined,
        (cause: Error) => cause,
      )
      if (failure === undefined) return
      if (Date.now() > deadline) {
        throw new Error(`TIDEMARK_KAFKA_BOOTSTRAP: no broker of ${bootstrapServers} answers`, { cause: failure })
      }
    }
  } finally {
    await admin.close()
  }
}
