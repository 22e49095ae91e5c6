import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { startKafka } from '#localstack/servers/kafka.ts'
import { parseProperties } from '#localstack/servers/properties-file.ts'
import { ensureTopic } from '#localstack/servers/topics.ts'
import { arn, bootstrapServers } from '../local-account.ts'
import { localOverrides } from '../local-overrides.ts'
import { boolean, makeStandIn, number } from '../stand-in.ts'

/** Remembered for the cluster that names it. */
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

const plaintext = 'brokers on one machine have no TLS and no IAM: synthesize the stage local'

/** One broker that is its own controller. */
export const cluster = makeStandIn({
  properties: {
    ClusterName: v.string(),
    ConfigurationInfo: v.object({ Arn: v.string() }),
    ClientAuthentication: v.object({
      Unauthenticated: v.object({ Enabled: v.pipe(boolean, v.literal(true, plaintext)) }, plaintext),
    }),
  },
  ignores: [
    'BrokerNodeGroupInfo',
    'EncryptionInfo',
    'EnhancedMonitoring',
    'KafkaVersion',
    'LoggingInfo',
    'NumberOfBrokerNodes',
    'OpenMonitoring',
    'StorageMode',
    'Tags',
  ],
  attributes: ['Arn'],
  bringUp: async (_id, { ClusterName, ConfigurationInfo }, account) => {
    const { settings, stack, brokerConfigurations, servers, step, guard, signal } = account
    const logs = join(settings.directory, 'logs')
    await mkdir(logs, { recursive: true })
    const service = await step('kafka', async () =>
      startKafka({
        guard,
        signal,
        ...(await account.java),
        directory: join(settings.directory, 'kafka'),
        port: settings.kafkaPort,
        properties: {
          ...brokerConfigurations.get(ConfigurationInfo.Arn),
          ...localOverrides['AWS::MSK::Cluster'](settings),
        },
        logFile: join(logs, 'kafka.log'),
      }),
    )
    servers.push(service)
    const ref = arn(stack, 'kafka', `cluster/${ClusterName}/00000000-0000-0000-0000-000000000000-1`)
    return { ref, attributes: { Arn: ref } }
  },
})

/** Created with its topic partitions and configuration. */
export const topic = makeStandIn({
  properties: {
    TopicName: v.string(),
    PartitionCount: number,
    Configs: v.optional(v.string()),
    ClusterArn: v.string(),
  },
  // One broker keeps one copy.
  ignores: ['ReplicationFactor'],
  attributes: ['TopicArn'],
  bringUp: async (_id, { TopicName: name, PartitionCount: partitions, Configs = '', ClusterArn }, { settings }) => {
    const configuration = parseProperties(Buffer.from(Configs, 'base64').toString())
    await ensureTopic(bootstrapServers(settings), { name, partitions, configuration })
    const ref = `${ClusterArn.replace(':cluster/', ':topic/')}/${name}`
    return { ref, attributes: { TopicArn: ref } }
  },
})
