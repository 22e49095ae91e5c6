import { join } from 'node:path'
import * as v from 'valibot'
import { makePrivateDirectory } from '#localstack/private-file.ts'
import { whileUnderWay } from '#localstack/progress.ts'
import { parseProperties } from '#localstack/servers/java/properties-file.ts'
import { brokerNodes } from '#localstack/servers/kafka/broker-nodes.ts'
import { administratorAccess, startKafkaCluster } from '#localstack/servers/kafka/kafka-cluster.ts'
import { ensureTopic, reachBrokers } from '#localstack/servers/kafka/topics.ts'
import { clusterIdIn } from '../kept-cluster.ts'
import { arn, bootstrapServers } from '../local-account.ts'
import { localOverrides } from '../local-overrides.ts'
import { boolean, makeStandIn, number } from '../stand-in.ts'
import { openSecurity } from './broker-logins.ts'

/** Stores the configuration for the cluster that names it. */
export const brokerConfiguration = makeStandIn({
  properties: { Name: v.string(), ServerProperties: v.string() },
  ignores: ['Description', 'KafkaVersionsList'],
  attributes: ['Arn', 'LatestRevision.Revision'],
  bringUp: (_id, { Name, ServerProperties }, { stack, brokerConfigurations }) => {
    const ref = arn(stack, 'kafka', `configuration/${Name}/00000000-0000-0000-0000-000000000000-1`)
    brokerConfigurations.set(ref, parseProperties(ServerProperties))
    return { ref, attributes: { Arn: ref, 'LatestRevision.Revision': 1 } }
  },
})

const unsupported = 'brokers on one machine know no IAM: synthesize the stage local'
const enabled = v.object({ Enabled: v.pipe(boolean, v.literal(true)) })

/** Brokers that are also the controllers. Their number is that with which the stack was started. */
export const cluster = makeStandIn({
  properties: {
    ClusterName: v.string(),
    NumberOfBrokerNodes: number,
    KafkaVersion: v.string(),
    ConfigurationInfo: v.object({ Arn: v.string() }),
    ClientAuthentication: v.union(
      [v.object({ Unauthenticated: enabled }), v.object({ Sasl: v.object({ Scram: enabled }) })],
      unsupported,
    ),
  },
  ignores: [
    'BrokerNodeGroupInfo',
    'EncryptionInfo',
    'EnhancedMonitoring',
    'LoggingInfo',
    'OpenMonitoring',
    'StorageMode',
    'Tags',
  ],
  attributes: ['Arn'],
  bringUp: async (
    id,
    { ClusterName, ConfigurationInfo, KafkaVersion, NumberOfBrokerNodes, ClientAuthentication },
    account,
  ) => {
    const { settings, stack, brokerConfigurations, servers, step, guard, signal } = account
    if (NumberOfBrokerNodes !== settings.brokers) {
      throw new Error(`${id} has ${NumberOfBrokerNodes} brokers, the stack was started with ${settings.brokers}`)
    }
    const ref = arn(stack, 'kafka', `cluster/${ClusterName}/00000000-0000-0000-0000-000000000000-1`)
    const isSecure = 'Sasl' in ClientAuthentication
    const known = { brokers: NumberOfBrokerNodes, kafkaVersion: KafkaVersion, isSecure, since: new Date() }
    account.clusters.set(ref, { arn: ref, name: ClusterName, ...known })
    if (settings.kafkaBootstrap !== undefined) {
      await step('kafka', () => reachBrokers(settings.kafkaBootstrap!, signal))
      return { ref, attributes: { Arn: ref } }
    }
    const security = isSecure ? await openSecurity(account) : undefined
    const logs = join(settings.directory, 'logs')
    await makePrivateDirectory(logs)
    const started = await step('kafka', async (report) =>
      startKafkaCluster({
        onWaiting: whileUnderWay(report),
        guard,
        signal,
        ...(await account.java),
        clusterId: await clusterIdIn(settings),
        nodes: brokerNodes(settings),
        directory: (name) => join(settings.directory, name),
        logFile: (name) => join(logs, `${name}.log`),
        ...(security && { security }),
        properties: {
          ...brokerConfigurations.get(ConfigurationInfo.Arn),
          ...localOverrides['AWS::MSK::Cluster'](settings),
        },
      }),
    )
    servers.push(...started)
    if (security) account.administrators.set(ref, administratorAccess(security))
    return { ref, attributes: { Arn: ref } }
  },
})

/** Creates the topic with its topic partitions and configuration. */
export const topic = makeStandIn({
  properties: {
    TopicName: v.string(),
    PartitionCount: number,
    ReplicationFactor: number,
    Configs: v.optional(v.string()),
    ClusterArn: v.string(),
  },
  attributes: ['TopicArn'],
  bringUp: async (_id, { TopicName: name, ClusterArn, Configs = '', ...counts }, account) => {
    const access = account.administrators.get(ClusterArn) ?? {}
    const configuration = parseProperties(Buffer.from(Configs, 'base64').toString())
    await ensureTopic(
      { bootstrapBrokers: bootstrapServers(account.settings).split(','), access },
      {
        name,
        partitions: counts.PartitionCount,
        replicas: counts.ReplicationFactor,
        configuration,
      },
    )
    const ref = `${ClusterArn.replace(':cluster/', ':topic/')}/${name}`
    return { ref, attributes: { TopicArn: ref } }
  },
})
