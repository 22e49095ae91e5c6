import { Duration } from 'aws-cdk-lib'
import type * as ecs from 'aws-cdk-lib/aws-ecs'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import type { FunctionPlatform } from '../pipeline-function.ts'
import type { Source } from '../source/source.ts'

export type PasswordRotationProps = {
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The database that is captured. */
  source: Source
  /** Days between two passwords. */
  days: number
  /** The ECS cluster of the service. */
  cluster: ecs.ICluster
  /** The service that gets a new task. */
  service: ecs.FargateService
}

/** Gives the replication role a new password, and Connect a new task that uses it: a container reads secrets once. */
export function rotatePassword(scope: Construct, props: PasswordRotationProps): void {
  const { source, service, cluster, platform } = props
  const { vpc, subnets } = platform.network
  const rotation = secretsmanager.HostedRotation.postgreSqlSingleUser({ vpc, vpcSubnets: subnets })
  const schedule = new secretsmanager.RotationSchedule(scope, 'Rotation', {
    secret: source.captureCredentials,
    hostedRotation: rotation,
    automaticallyAfter: Duration.days(props.days),
    // The role exists only after the schema is migrated.
    rotateImmediatelyOnUpdate: false,
  })
  source.database.connections.allowDefaultPortFrom(rotation)
  schedule.node.defaultChild!.node.addDependency(service)

  const redeploy = new targets.AwsApi({
    service: 'ECS',
    action: 'updateService',
    parameters: { cluster: cluster.clusterName, service: service.serviceName, forceNewDeployment: true },
    policyStatement: new iam.PolicyStatement({ actions: ['ecs:UpdateService'], resources: [service.serviceArn] }),
  })
  new events.Rule(scope, 'PasswordRotated', {
    description: 'Connect starts again with the new password',
    eventPattern: {
      source: ['aws.secretsmanager'],
      detail: {
        eventName: ['RotationSucceeded'],
        additionalEventData: { SecretId: [source.captureCredentials.secretArn] },
      },
    },
    targets: [redeploy],
  })
}
