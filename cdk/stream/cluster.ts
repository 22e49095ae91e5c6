import { RemovalPolicy } from 'aws-cdk-lib'
import type * as ec2 from 'aws-cdk-lib/aws-ec2'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as logs from 'aws-cdk-lib/aws-logs'
import * as msk from 'aws-cdk-lib/aws-msk'
import type { Construct } from 'constructs'
import type { FunctionPlatform } from '../pipeline-function.ts'
import { serverProperties } from './kafka-properties.ts'

/**
 * How clients log in: `iam` over TLS; `scram`, by name and password over TLS; or `none` over plain text, on one machine
 * only. On one machine, the rules of `scram` are made from the template's metadata. On AWS, nothing makes them yet.
 */
export type KafkaAuthentication = 'iam' | 'scram' | 'none'

export type ClusterSettings = {
  /** A version from MSK's list with its metadata mode, e.g. `4.1.x.kraft`. */
  kafkaVersion: string
  /** Number of brokers, their MSK class, and the storage of each. */
  brokers: { count: number; instanceType: string; volumeGiB: number }
  /** How clients log in. */
  authentication: KafkaAuthentication
  /** Number of copies of each topic partition, and how many must have a record before it counts as written. */
  replicas: { count: number; inSync: number }
}

export type ClusterProps = {
  /** What the stage decides about the brokers. */
  settings: ClusterSettings
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** Whether resources that hold data stay when the stack is deleted. */
  keepsData: boolean
  /**
   * Key that encrypts rows at rest.
   *
   * @default - a key of AWS
   */
  rowsKey: kms.IKey | undefined
}

/** The brokers. Clients reach them over TLS, or over plain text where nobody logs in. */
export function makeCluster(
  scope: Construct,
  clusterName: string,
  securityGroup: ec2.SecurityGroup,
  props: ClusterProps,
): msk.CfnCluster {
  const configuration = new msk.CfnConfiguration(scope, 'Configuration', {
    name: clusterName,
    serverProperties: serverProperties(props.settings.replicas),
  })
  const brokerLogs = new logs.LogGroup(scope, 'BrokerLogs', {
    retention: props.platform.logRetentionDays,
    removalPolicy: props.keepsData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  })
  const { authentication, brokers, kafkaVersion } = props.settings
  const isOpen = authentication === 'none'
  return new msk.CfnCluster(scope, 'Cluster', {
    clusterName,
    kafkaVersion,
    numberOfBrokerNodes: brokers.count,
    brokerNodeGroupInfo: {
      instanceType: brokers.instanceType,
      clientSubnets: props.platform.network.vpc.selectSubnets(props.platform.network.subnets).subnetIds,
      securityGroups: [securityGroup.securityGroupId],
      storageInfo: { ebsStorageInfo: { volumeSize: brokers.volumeGiB } },
      connectivityInfo: { publicAccess: { type: 'DISABLED' } },
    },
    configurationInfo: {
      arn: configuration.attrArn,
      revision: configuration.attrLatestRevisionRevision,
    },
    clientAuthentication: {
      sasl: {
        iam: { enabled: authentication === 'iam' },
        ...(authentication === 'scram' ? { scram: { enabled: true } } : {}),
      },
      unauthenticated: { enabled: isOpen },
    },
    encryptionInfo: {
      encryptionInTransit: { clientBroker: isOpen ? 'PLAINTEXT' : 'TLS', inCluster: true },
      ...(props.rowsKey === undefined ? {} : { encryptionAtRest: { dataVolumeKmsKeyId: props.rowsKey.keyArn } }),
    },
    enhancedMonitoring: 'PER_TOPIC_PER_BROKER',
    loggingInfo: { brokerLogs: { cloudWatchLogs: { enabled: true, logGroup: brokerLogs.logGroupName } } },
  })
}
