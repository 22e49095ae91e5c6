import { CustomResource, Duration, Stack } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as msk from 'aws-cdk-lib/aws-msk'
import { Construct } from 'constructs'
import type { ReadBootstrapBrokersEnvironment } from '#lambdas/read-bootstrap-brokers/environment.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import { type ClusterSettings, type KafkaAuthentication, makeCluster } from './cluster.ts'
import { KafkaLogins } from './kafka-logins.ts'
import { type TopicKind, topicProperties } from './kafka-properties.ts'
import type { KafkaUser } from './kafka-rights.ts'

export type StreamSettings = ClusterSettings & {
  /**
   * They are fixed when a topic is created: with another number, a key would move to another topic partition and lose
   * its order.
   */
  topicPartitions: { changes: number; userEvents: number }
  /** Hours for which the topics of changes and events keep a record. */
  retentionHours: number
}

export type StreamProps = {
  /** What the stage decides about brokers and topics. */
  settings: StreamSettings
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
  /**
   * Key that encrypts the credentials.
   *
   * @default - a key of AWS
   */
  credentialsKey: kms.IKey | undefined
}

const PORTS: Record<KafkaAuthentication, number> = { iam: 9098, scram: 9096, none: 9092 }

/** The brokers, the topics, and the rights to read and write them. */
export class Stream extends Construct implements ec2.IConnectable {
  readonly topics = { changes: 'changes', userEvents: 'user-events' }
  /** Connect's own topics. */
  readonly connectTopics = { config: 'connect-config', offsets: 'connect-offsets', status: 'connect-status' }
  readonly topicPartitions: StreamSettings['topicPartitions']
  readonly authentication: KafkaAuthentication
  readonly clusterArn: string
  /** The brokers' addresses (`host:port,…`), as clients take them. */
  readonly bootstrapBrokers: string
  readonly connections: ec2.Connections
  /** Users of the brokers; undefined unless clients log in by name and password. */
  readonly logins: KafkaLogins | undefined
  readonly #clusterName: string

  constructor(scope: Construct, id: string, props: StreamProps) {
    super(scope, id)
    const { topicPartitions, authentication } = props.settings
    this.topicPartitions = topicPartitions
    this.authentication = authentication
    this.#clusterName = `tidemark-${props.platform.stage}`
    const { vpc } = props.platform.network
    const brokers = new ec2.SecurityGroup(this, 'Brokers', { vpc, description: 'Kafka brokers' })
    const port = ec2.Port.tcp(PORTS[authentication])
    this.connections = new ec2.Connections({ securityGroups: [brokers], defaultPort: port })
    // Event source mappings poll from network interfaces in the brokers' own group.
    brokers.addIngressRule(brokers, port)

    this.clusterArn = makeCluster(this, this.#clusterName, brokers, props).attrArn
    this.logins = this.#makeLogins(props)
    this.#makeTopics(props)
    this.bootstrapBrokers = this.#readBootstrapBrokers(props)
  }

  /** Lets the client find the brokers and open connections to them. */
  grantConnect(client: iam.IGrantable & ec2.IConnectable): void {
    this.connections.allowDefaultPortFrom(client)
    this.#grantCluster(client, 'Connect', 'DescribeCluster')
    iam.Grant.addToPrincipal({
      grantee: client,
      actions: ['kafka:GetBootstrapBrokers'],
      resourceArns: [this.clusterArn],
    })
  }

  /** Lets the client write a topic with an idempotent producer. */
  grantWrite(client: iam.IGrantable & ec2.IConnectable, topic: string, user: KafkaUser): void {
    this.grantConnect(client)
    this.logins?.grantLogin(user, client)
    this.logins?.allow(user, 'topic', topic, 'DESCRIBE', 'WRITE')
    this.#grantCluster(client, 'WriteDataIdempotently')
    this.#grantTopic(client, topic, 'DescribeTopic', 'WriteData')
  }

  /** Lets the client create a topic. */
  grantCreate(client: iam.IGrantable, topic: string, user: KafkaUser): void {
    this.logins?.allow(user, 'topic', topic, 'CREATE', 'DESCRIBE', 'DESCRIBE_CONFIGS')
    this.#grantTopic(client, topic, 'CreateTopic', 'DescribeTopic', 'DescribeTopicDynamicConfiguration')
  }

  /** Lets the client write transactions under this id, which also ends those of an earlier client with the same id. */
  grantTransactions(client: iam.IGrantable, transactionalId: string, user: KafkaUser): void {
    this.logins?.allow(user, 'transactional-id', transactionalId, 'DESCRIBE', 'WRITE')
    iam.Grant.addToPrincipal({
      grantee: client,
      actions: ['AlterTransactionalId', 'DescribeTransactionalId'].map(kafkaAction),
      resourceArns: [this.#arn('transactional-id', transactionalId)],
    })
  }

  /** Lets an event source mapping deliver a topic to a function. */
  grantDelivery(role: iam.IRole, topic: string, consumerGroup: string): void {
    // The managed policy describes the cluster and manages network interfaces; it has no right to read a topic.
    role.addManagedPolicy(iam.ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSLambdaMSKExecutionRole'))
    this.#grantCluster(role, 'Connect', 'DescribeCluster', 'DescribeClusterDynamicConfiguration')
    this.#grantTopic(role, topic, 'DescribeTopic', 'ReadData')
    this.#grantGroup(role, consumerGroup, 'AlterGroup', 'DescribeGroup')
    this.logins?.grantLogin('delivery', role)
    this.logins?.allow('delivery', 'topic', topic, 'DESCRIBE', 'READ')
    this.logins?.allow('delivery', 'group', consumerGroup, 'DESCRIBE', 'READ')
  }

  /**
   * Lets the client read the offsets of a topic and of a consumer group, and set the group's while it has no member.
   */
  grantOffsets(client: iam.IGrantable & ec2.IConnectable, topic: string, consumerGroup: string, user: KafkaUser): void {
    this.grantConnect(client)
    this.#grantTopic(client, topic, 'DescribeTopic', 'ReadData')
    this.#grantGroup(client, consumerGroup, 'AlterGroup', 'DescribeGroup')
    this.logins?.grantLogin(user, client)
    this.logins?.allow(user, 'topic', topic, 'DESCRIBE', 'READ')
    this.logins?.allow(user, 'group', consumerGroup, 'DESCRIBE', 'READ')
  }

  /**
   * Lets the client list all topics, and read the records of the pipeline's own: not those of Connect, which
   * have the configurations of connectors.
   */
  grantLook(client: iam.IGrantable & ec2.IConnectable, user: KafkaUser): void {
    this.grantConnect(client)
    this.logins?.grantLogin(user, client)
    this.logins?.allow(user, 'topic', '*', 'DESCRIBE')
    this.#grantTopic(client, '*', 'DescribeTopic')
    for (const topic of Object.values(this.topics)) {
      this.logins?.allow(user, 'topic', topic, 'READ')
      this.#grantTopic(client, topic, 'ReadData')
    }
  }

  /** Lets a Connect worker coordinate through its own topics and write captured changes. */
  grantConnectWorker(worker: iam.IGrantable & ec2.IConnectable, group: string): void {
    this.grantWrite(worker, this.topics.changes, 'connect')
    for (const topic of Object.values(this.connectTopics)) {
      this.logins?.allow('connect', 'topic', topic, 'DESCRIBE', 'DESCRIBE_CONFIGS', 'READ', 'WRITE')
      this.#grantTopic(worker, topic, 'DescribeTopic', 'DescribeTopicDynamicConfiguration', 'ReadData', 'WriteData')
    }
    this.#grantGroup(worker, group, 'AlterGroup', 'DescribeGroup')
    this.logins?.allow('connect', 'group', group, 'DESCRIBE', 'READ')
    // Without these two rights the worker crashes again and again, and does not say why.
    iam.Grant.addToPrincipal({
      grantee: worker,
      actions: ['kafka-cluster:AlterTransactionalId', 'kafka-cluster:DescribeTransactionalId'],
      resourceArns: [this.#arn('transactional-id', '*')],
    })
  }

  #grantCluster(grantee: iam.IGrantable, ...actions: string[]): void {
    iam.Grant.addToPrincipal({ grantee, actions: actions.map(kafkaAction), resourceArns: [this.clusterArn] })
  }

  #grantTopic(grantee: iam.IGrantable, topic: string, ...actions: string[]): void {
    iam.Grant.addToPrincipal({ grantee, actions: actions.map(kafkaAction), resourceArns: [this.#arn('topic', topic)] })
  }

  #grantGroup(grantee: iam.IGrantable, group: string, ...actions: string[]): void {
    iam.Grant.addToPrincipal({ grantee, actions: actions.map(kafkaAction), resourceArns: [this.#arn('group', group)] })
  }

  /** ARN of something inside the cluster. The star stands for the cluster's generated id. */
  #arn(kind: 'topic' | 'group' | 'transactional-id', name: string): string {
    return Stack.of(this).formatArn({
      service: 'kafka',
      resource: kind,
      resourceName: `${this.#clusterName}/*/${name}`,
    })
  }

  #makeLogins({ settings, credentialsKey: key }: StreamProps): KafkaLogins | undefined {
    if (settings.authentication !== 'scram') return undefined
    return new KafkaLogins(this, 'Logins', { clusterName: this.#clusterName, clusterArn: this.clusterArn, key })
  }

  #makeTopics({ settings }: StreamProps): void {
    const { topicPartitions, replicas, retentionHours } = settings
    const make = (id: string, topicName: string, partitionCount: number, kind: TopicKind) =>
      // The number is part of the id: changing it makes the deployment fail, because the name exists, before any key
      // has moved.
      new msk.CfnTopic(this, `${id}Of${partitionCount}`, {
        clusterArn: this.clusterArn,
        topicName,
        partitionCount,
        replicationFactor: replicas.count,
        configs: topicProperties(kind, replicas),
      })
    const kept: TopicKind = { cleanup: 'delete', retentionHours }
    make('Changes', this.topics.changes, topicPartitions.changes, kept)
    make('UserEvents', this.topics.userEvents, topicPartitions.userEvents, kept)
    // Connect refuses a configuration topic of more than one topic partition.
    make('ConnectConfig', this.connectTopics.config, 1, { cleanup: 'compact' })
    make('ConnectOffsets', this.connectTopics.offsets, 1, { cleanup: 'compact' })
    make('ConnectStatus', this.connectTopics.status, 1, { cleanup: 'compact' })
  }

  /** MSK's resource does not give its brokers' addresses, so a function reads them. */
  #readBootstrapBrokers({ platform, settings }: StreamProps): string {
    const { authentication, brokers } = settings
    const read = new PipelineFunction(this, 'ReadBootstrapBrokers', {
      platform,
      folder: 'read-bootstrap-brokers',
      description: 'Reads the addresses of the brokers for the stack',
      place: 'outside',
      memoryMiB: 256,
      timeoutSeconds: 30,
      environment: {
        CLUSTER_ARN: this.clusterArn,
        KAFKA_AUTHENTICATION: authentication,
      } satisfies Record<keyof ReadBootstrapBrokersEnvironment, string>,
    })
    read.addToRolePolicy(
      new iam.PolicyStatement({ actions: ['kafka:GetBootstrapBrokers'], resources: [this.clusterArn] }),
    )
    const answer = new CustomResource(this, 'BootstrapBrokers', {
      resourceType: 'Custom::BootstrapBrokers',
      serviceToken: read.functionArn,
      serviceTimeout: Duration.minutes(1),
      // They are read again when the cluster is another one or has more brokers.
      properties: { ClusterArn: this.clusterArn, Brokers: brokers.count },
    })
    return answer.getAttString('Brokers')
  }
}

const kafkaAction = (action: string): string => `kafka-cluster:${action}`
