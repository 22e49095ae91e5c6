import { Duration } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import type { MaintainTargetEnvironment } from '#lambdas/maintain-target/environment.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { Schema } from '../schema/schema.ts'
import type { Target } from '../target/target.ts'

export type MaintenanceProps = {
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The database that is kept equal. */
  target: Target
  /** What is installed in both databases. Resources that need it are created after it. */
  schema: Schema
}

/** Keeps the target small: removes what is past its retention, once an hour. */
export class Maintenance extends Construct {
  readonly maintainTarget: PipelineFunction

  constructor(scope: Construct, id: string, { platform, target, schema }: MaintenanceProps) {
    super(scope, id)
    this.maintainTarget = new PipelineFunction(this, 'MaintainTarget', {
      platform,
      folder: 'maintain-target',
      description: 'Removes history past its retention, and delete markers that are not needed any more',
      memoryMiB: 256,
      timeoutSeconds: 600,
      environment: {
        TARGET_SECRET_ARN: target.applyCredentials.secretArn,
        DATABASE_TLS: platform.databaseTls,
      } satisfies Record<keyof MaintainTargetEnvironment, string>,
    })
    target.database.grantUse(this.maintainTarget, target.applyCredentials)
    const hourly = new events.Rule(this, 'EveryHour', {
      description: 'Removes history past its retention',
      schedule: events.Schedule.rate(Duration.hours(1)),
      // A failed invocation is not repeated, because the next one comes an hour later.
      targets: [new targets.LambdaFunction(this.maintainTarget, { retryAttempts: 0 })],
    })
    hourly.node.addDependency(schema)
  }
}
