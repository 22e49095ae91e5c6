import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import type { FunctionBundles } from './function-bundle.ts'
import type { Network } from './network/network.ts'

export type DatabaseTls = 'verify-full' | 'disable'

/** What all functions of a stage share. */
export type FunctionPlatform = {
  /** Name of the stage, with which the names of resources end. */
  stage: string
  /** The network that everything is in. */
  network: Network
  /** The code of the functions. */
  bundles: FunctionBundles
  /** Whether functions and Connect check the databases' certificates, or use no TLS. */
  databaseTls: DatabaseTls
  /** Days for which logs are kept. */
  logRetentionDays: number
}

export type PipelineFunctionProps = {
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** Folder under `lambdas/`, with which the function's name ends. */
  folder: string
  /** What the function does, as the console shows it. */
  description: string
  /** Its variables. */
  environment: Record<string, string>
  /** Memory of the function; its processors grow with it. */
  memoryMiB: number
  /** Seconds after which an invocation is ended. */
  timeoutSeconds: number
  /**
   * The most executions at once, which are reserved for this function from the account's quota.
   *
   * @default - what the account has left
   */
  concurrency?: number
  /**
   * Functions that reach a database, Kafka or Connect run inside the network; the others outside.
   *
   * @default 'inside'
   */
  place?: 'inside' | 'outside'
}

/** With a longer timeout, an event source mapping does not keep its hold on a batch. */
const LONGEST_TIMEOUT_SECONDS = 14 * 60

/** A function of `lambdas/`, named `tidemark-<stage>-<folder>`, on Node 24 and arm64. */
export class PipelineFunction extends lambda.Function {
  constructor(scope: Construct, id: string, props: PipelineFunctionProps) {
    const { platform, folder } = props
    if (props.timeoutSeconds > LONGEST_TIMEOUT_SECONDS) {
      throw new RangeError(`${folder}: a timeout of ${props.timeoutSeconds} s is above ${LONGEST_TIMEOUT_SECONDS} s`)
    }
    super(scope, id, {
      functionName: `tidemark-${platform.stage}-${folder}`,
      description: props.description,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      code: platform.bundles.code(folder),
      handler: 'handler.handler',
      memorySize: props.memoryMiB,
      timeout: Duration.seconds(props.timeoutSeconds),
      environment: { ...props.environment, NODE_OPTIONS: '--enable-source-maps', ...trust(platform.databaseTls) },
      ...(props.concurrency === undefined ? {} : { reservedConcurrentExecutions: props.concurrency }),
      ...(props.place === 'outside' ? {} : inside(scope, id, platform.network)),
      logGroup: new logs.LogGroup(scope, `${id}Logs`, {
        retention: platform.logRetentionDays,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
    })
  }
}

/** Since Node 20, Lambda does not trust RDS's certificate authorities by default. The runtime has them in this file. */
const trust = (tls: DatabaseTls): Record<string, string> =>
  tls === 'verify-full' ? { NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem' } : {}

const inside = (scope: Construct, id: string, { vpc, subnets }: Network) => ({
  vpc,
  vpcSubnets: subnets,
  securityGroups: [new ec2.SecurityGroup(scope, `${id}SecurityGroup`, { vpc })],
})
