import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as ecs from 'aws-cdk-lib/aws-ecs'
import * as logs from 'aws-cdk-lib/aws-logs'
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { Construct, type IDependable } from 'constructs'
import type { FunctionPlatform } from '../pipeline-function.ts'
import type { Source } from '../source/source.ts'
import type { Stream } from '../stream/stream.ts'
import { type ConnectImage, connectImage } from './connect-image.ts'
import { connectWorkerVariables } from './connect-worker.ts'
import { rotatePassword } from './password-rotation.ts'

export type ConnectServiceSettings = {
  /** Debezium's public image, on one machine only, or the one that is built for MSK with IAM. */
  image: ConnectImage
  /** Processors of the task, in units of 1/1024. */
  cpu: number
  /** Memory of the task. */
  memoryMiB: number
  /** Memory of the worker's JVM heap. A changed row has to fit in it several times. */
  heapMiB: number
  /**
   * Days after which the replication role gets a new password.
   *
   * @default - it keeps its password
   */
  rotatePasswordDays?: number
}

export type ConnectServiceProps = {
  /** What the stage decides about the task. */
  settings: ConnectServiceSettings
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The brokers and topics. */
  stream: Stream
  /** The database that is captured. */
  source: Source
}

const GROUP = 'tidemark-connect'

/** Kafka Connect as one Fargate task, which is found by name inside the network. */
export class ConnectService extends Construct implements ec2.IConnectable {
  static readonly port = 8083
  readonly connections: ec2.Connections
  /** Connect's REST API. */
  readonly url: string
  readonly #service: ecs.FargateService

  constructor(scope: Construct, id: string, props: ConnectServiceProps) {
    super(scope, id)
    const { vpc, subnets } = props.platform.network
    const task = this.#makeTask(props)
    const securityGroup = new ec2.SecurityGroup(this, 'SecurityGroup', { vpc, description: 'Kafka Connect' })
    const namespace = `tidemark-${props.platform.stage}.internal`
    const cluster = new ecs.Cluster(this, 'Cluster', {
      vpc,
      defaultCloudMapNamespace: { name: namespace },
    }) as ecs.ICluster
    const service = new ecs.FargateService(this, 'Service', {
      cluster,
      taskDefinition: task,
      vpcSubnets: subnets,
      securityGroups: [securityGroup],
      assignPublicIp: false,
      // A replication slot has one reader, so the old task ends before the new one starts.
      desiredCount: 1,
      minHealthyPercent: 0,
      maxHealthyPercent: 100,
      circuitBreaker: { rollback: true },
      cloudMapOptions: { name: 'connect', dnsTtl: Duration.seconds(10) },
    })
    this.#service = service
    this.connections = service.connections
    this.url = `http://${service.cloudMapService!.serviceName}.${namespace}:${ConnectService.port}`

    const worker = { grantPrincipal: task.taskRole, connections: service.connections }
    props.stream.grantConnectWorker(worker, GROUP)
    props.source.database.connections.allowDefaultPortFrom(worker)
    const { rotatePasswordDays: days } = props.settings
    if (days !== undefined) {
      rotatePassword(this, { platform: props.platform, source: props.source, days, cluster, service })
    }
  }

  /** Makes its task start after these exist. */
  startsAfter(...others: IDependable[]): void {
    this.#service.node.addDependency(...others)
  }

  #makeTask({ settings, platform, stream, source }: ConnectServiceProps) {
    const { image, cpu, memoryMiB, heapMiB } = settings
    const task = new ecs.FargateTaskDefinition(this, 'Task', {
      cpu,
      memoryLimitMiB: memoryMiB,
      runtimePlatform: {
        cpuArchitecture: ecs.CpuArchitecture.ARM64,
        operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
      },
    })
    if (stream.logins !== undefined) {
      Validations.of(task).acknowledge({
        id: 'CloudFormation-Validate::E1029',
        reason: "a variable of the worker's config provider looks like one of Fn::Sub",
      })
    }
    task.addContainer('connect', {
      image: connectImage(image, Stack.of(this).region),
      portMappings: [{ containerPort: ConnectService.port }],
      environment: connectWorkerVariables({
        bootstrapBrokers: stream.bootstrapBrokers,
        authentication: stream.authentication,
        group: GROUP,
        topics: stream.connectTopics,
        heapMiB,
      }),
      secrets: {
        SOURCE_USERNAME: ecs.Secret.fromSecretsManager(source.captureCredentials, 'username'),
        SOURCE_PASSWORD: ecs.Secret.fromSecretsManager(source.captureCredentials, 'password'),
        ...(stream.logins === undefined ? {} : brokerLogin(stream.logins.secretOf('connect'))),
      },
      healthCheck: {
        command: ['CMD-SHELL', `curl -fsS http://localhost:${ConnectService.port}/connectors || exit 1`],
        startPeriod: Duration.seconds(60),
        interval: Duration.seconds(10),
        retries: 6,
      },
      logging: ecs.LogDriver.awsLogs({
        streamPrefix: 'connect',
        logGroup: new logs.LogGroup(this, 'Logs', {
          retention: platform.logRetentionDays,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      }),
    })
    return task
  }
}

const brokerLogin = (secret: secretsmanager.ISecret): Record<string, ecs.Secret> => ({
  KAFKA_USERNAME: ecs.Secret.fromSecretsManager(secret, 'username'),
  KAFKA_PASSWORD: ecs.Secret.fromSecretsManager(secret, 'password'),
})
