import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as flink from 'aws-cdk-lib/aws-kinesisanalytics'
import * as msk from 'aws-cdk-lib/aws-msk'
import * as assets from 'aws-cdk-lib/aws-s3-assets'
import { Construct } from 'constructs'
import type { FunctionPlatform } from '../pipeline-function.ts'
import { type Replicas, topicProperties } from '../stream/kafka-properties.ts'
import type { Stream } from '../stream/stream.ts'

export type FlinkWindowsSettings = {
  /** Name of the definition. */
  definition: string
  /** The topic that the job writes, as it is printed. It is created. */
  topic: string
  /** Its number of topic partitions. */
  topicPartitions: number
  /** Path of the jar that `cdk/windows/flink/pom.xml` builds, with the job in it. */
  jar: string
  /** How many subtasks the job has. */
  parallelism: number
}

export type FlinkWindowsProps = {
  /** What the stage decides about the job. */
  settings: FlinkWindowsSettings
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The brokers and topics; clients log in by IAM. */
  stream: Stream
  /** Copies of the topic. */
  replicas: Replicas
}

/**
 * A definition of windows as an application of Managed Service for Apache Flink. A stage has none unless `flinkWindows` in
 * `cdk/stages.ts` names it (docs/windows-flink.md).
 */
export class FlinkWindows extends Construct {
  readonly application: flink.CfnApplicationV2

  constructor(scope: Construct, id: string, props: FlinkWindowsProps) {
    super(scope, id)
    const { platform, stream, replicas } = props
    const { definition, topic, topicPartitions, jar, parallelism } = props.settings
    new msk.CfnTopic(this, 'Topic', {
      clusterArn: stream.clusterArn,
      topicName: topic,
      partitionCount: topicPartitions,
      replicationFactor: replicas.count,
      configs: topicProperties({ cleanup: 'compact' }, replicas),
    })
    const code = new assets.Asset(this, 'Code', { path: jar })
    const { vpc, subnets } = platform.network
    const securityGroup = new ec2.SecurityGroup(this, 'SecurityGroup', { vpc })
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('kinesisanalytics.amazonaws.com'),
      // Flink describes the network and makes its interfaces in it.
      managedPolicies: [iam.ManagedPolicy.fromAwsManagedPolicyName('AmazonVPCFullAccess')],
    })
    code.grantRead(role)
    const job = { grantPrincipal: role, connections: new ec2.Connections({ securityGroups: [securityGroup] }) }
    const name = `tidemark-flink-${definition}`
    stream.grantOffsets(job, stream.topics.changes, name, 'windows')
    stream.grantWrite(job, topic, 'windows')
    stream.grantTransactions(job, `${name}*`, 'windows')
    this.application = new flink.CfnApplicationV2(this, 'Application', {
      applicationName: `tidemark-${platform.stage}-${definition.replaceAll('_', '-')}`,
      applicationDescription: `The windows ${definition}, computed by Flink`,
      runtimeEnvironment: 'FLINK-1_20',
      serviceExecutionRole: role.roleArn,
      applicationConfiguration: {
        applicationCodeConfiguration: {
          codeContentType: 'ZIPFILE',
          codeContent: { s3ContentLocation: { bucketArn: code.bucket.bucketArn, fileKey: code.s3ObjectKey } },
        },
        flinkApplicationConfiguration: {
          // Results are committed with checkpoints, so that a restart writes none twice.
          checkpointConfiguration: { configurationType: 'DEFAULT' },
          parallelismConfiguration: {
            configurationType: 'CUSTOM',
            parallelism,
            parallelismPerKpu: 1,
            autoScalingEnabled: false,
          },
        },
        vpcConfigurations: [
          { subnetIds: vpc.selectSubnets(subnets).subnetIds, securityGroupIds: [securityGroup.securityGroupId] },
        ],
      },
    })
    this.application.node.addDependency(role)
  }
}
