import { Duration, Stack } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import * as iam from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { RecoverCaptureEnvironment } from '#lambdas/recover-capture/environment.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { Schema } from '../schema/schema.ts'
import type { Source } from '../source/source.ts'
import type { Stream } from '../stream/stream.ts'
import type { Target } from '../target/target.ts'
import type { Capture } from './capture.ts'
import { ConnectService } from './connect-service.ts'

export type RecoveryProps = {
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The brokers and topics. */
  stream: Stream
  /** The database that is captured. */
  source: Source
  /** The database that is kept equal. */
  target: Target
  /** What is installed in both databases. Resources that need it are created after it. */
  schema: Schema
  /** Kafka Connect with the registered connector. */
  capture: Capture
  /** The functions that the topics are delivered to. */
  consumers: { apply: PipelineFunction; archive: PipelineFunction; windows: PipelineFunction }
}

/** Diagnoses capture each minute, starts a failed task again, and recovers capture when it is asked to. */
export class Recovery extends Construct {
  readonly recover: PipelineFunction

  constructor(scope: Construct, id: string, props: RecoveryProps) {
    super(scope, id)
    const { platform, stream, source, target, capture, consumers } = props
    this.recover = new PipelineFunction(this, 'RecoverCapture', {
      platform,
      folder: 'recover-capture',
      description: 'Checks capture each minute and restores it after a stop',
      memoryMiB: 512,
      timeoutSeconds: 840,
      environment: {
        CONNECT_URL: capture.connect.url,
        // The API asks for no password: the worker's security group admits only this function and register-connector.
        CONNECT_SECRET_ARN: '',
        SOURCE_SECRET_ARN: source.database.adminSecret.secretArn,
        TARGET_SECRET_ARN: target.applyCredentials.secretArn,
        DATABASE_TLS: platform.databaseTls,
        CLUSTER_ARN: stream.clusterArn,
        KAFKA_AUTHENTICATION: stream.authentication,
        KAFKA_SECRET_ARN: stream.logins?.secretOf('recovery').secretArn ?? '',
        CHANGES_TOPIC: stream.topics.changes,
        APPLY_FUNCTION: consumers.apply.functionName,
        ARCHIVE_FUNCTION: consumers.archive.functionName,
        WINDOWS_FUNCTION: consumers.windows.functionName,
      } satisfies Record<keyof RecoverCaptureEnvironment, string>,
    })
    source.database.grantAdministration(this.recover)
    target.database.grantUse(this.recover, target.applyCredentials)
    capture.connect.connections.allowFrom(this.recover, ec2.Port.tcp(ConnectService.port))
    this.#grantOffsets(props)
    this.#grantMappings(props)
    this.#lookEveryMinute(props)
    this.#watch()
  }

  #grantOffsets({ stream }: RecoveryProps): void {
    const { changes, userEvents } = stream.topics
    const groups: [topic: string, group: string][] = [
      [changes, 'tidemark-latest-state'],
      [userEvents, 'tidemark-user-state'],
      [changes, `tidemark-archive-${changes}`],
      [userEvents, `tidemark-archive-${userEvents}`],
      [changes, 'tidemark-windows'],
    ]
    for (const [topic, group] of groups) stream.grantOffsets(this.recover, topic, group, 'recovery')
  }

  /** A group's offsets can only be set while it has no member, so its mapping is disabled meanwhile. */
  #grantMappings({ consumers }: RecoveryProps): void {
    const functions = [consumers.apply, consumers.archive, consumers.windows].map(({ functionArn }) => functionArn)
    this.recover.addToRolePolicy(
      // Lambda gives the right to list mappings for all of them or for none.
      new iam.PolicyStatement({ actions: ['lambda:ListEventSourceMappings'], resources: ['*'] }),
    )
    this.recover.addToRolePolicy(
      new iam.PolicyStatement({
        actions: ['lambda:GetEventSourceMapping', 'lambda:UpdateEventSourceMapping'],
        resources: [Stack.of(this).formatArn({ service: 'lambda', resource: 'event-source-mapping:*' })],
        conditions: { ArnEquals: { 'lambda:FunctionArn': functions } },
      }),
    )
  }

  #lookEveryMinute({ schema, capture }: RecoveryProps): void {
    const everyMinute = new events.Rule(this, 'EveryMinute', {
      description: 'Checks capture and starts a failed task again',
      schedule: events.Schedule.rate(Duration.minutes(1)),
      targets: [
        new targets.LambdaFunction(this.recover, {
          event: events.RuleTargetInput.fromObject({}),
          // A failed invocation is not repeated, because the next one comes a minute later.
          retryAttempts: 0,
        }),
      ],
    })
    everyMinute.node.addDependency(schema, capture.connector)
  }

  /** docs/recovery.md says what to do about these alarms. */
  #watch(): void {
    const alarm = (
      id: string,
      metricName: string,
      alarmDescription: string,
      threshold: number,
      silence: 'alarm' | 'fine',
    ) =>
      new cloudwatch.Alarm(this, id, {
        alarmDescription,
        metric: new cloudwatch.Metric({
          ...{ namespace: 'Tidemark', metricName, dimensionsMap: { Capability: 'capture' } },
          ...{ statistic: 'Maximum', period: Duration.minutes(1) },
        }),
        threshold,
        evaluationPeriods: 3,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treatMissingData:
          silence === 'alarm' ? cloudwatch.TreatMissingData.BREACHING : cloudwatch.TreatMissingData.NOT_BREACHING,
      })
    // The function reports each minute, so missing data means that it fails.
    alarm(
      'CaptureDown',
      'CaptureNotRunning',
      'No change of the source has been captured for three minutes: npm run recover finds the cause',
      0,
      'alarm',
    )
    // While tables are read or records wait, there is no age to report.
    alarm(
      'BeaconOverdue',
      'BeaconAgeSeconds',
      'The connector says that it runs and has sent no beacon for 30 s',
      30,
      'fine',
    )
  }
}
