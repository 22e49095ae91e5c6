import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import type { ApplyLatestStateEnvironment } from '#lambdas/apply-latest-state/environment.ts'
import type { Capture } from '../capture/capture.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { Schema } from '../schema/schema.ts'
import type { Stream } from '../stream/stream.ts'
import { deliverTopic, type PollerSettings } from '../stream/topic-delivery.ts'
import type { Target } from '../target/target.ts'

export type LatestStateSettings = {
  /** Memory of the function; its processors grow with it. */
  memoryMiB: number
  /** Seconds after which an invocation is ended. */
  timeoutSeconds: number
  /** The most batches in flight at once. This concurrency is reserved for the function, from the account's quota. */
  concurrency: number
  /** The fewest and the most pollers of each topic. */
  pollers: PollerSettings
}

export type LatestStateProps = {
  /** What the stage decides about applying. */
  settings: LatestStateSettings
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The brokers and topics. */
  stream: Stream
  /** The database that is kept equal. */
  target: Target
  /** What is installed in both databases. Resources that need it are created after it. */
  schema: Schema
  /** Kafka Connect with the registered connector. */
  capture: Capture
}

/** Applies the records of the topics to the target. */
export class LatestState extends Construct {
  readonly apply: PipelineFunction

  constructor(scope: Construct, id: string, props: LatestStateProps) {
    super(scope, id)
    const { settings, platform, stream, target, schema } = props
    this.apply = new PipelineFunction(this, 'ApplyLatestState', {
      platform,
      folder: 'apply-latest-state',
      description: 'Applies changes and deltas to the target',
      memoryMiB: settings.memoryMiB,
      timeoutSeconds: settings.timeoutSeconds,
      concurrency: settings.concurrency,
      environment: {
        TARGET_SECRET_ARN: target.applyCredentials.secretArn,
        DATABASE_TLS: platform.databaseTls,
        CHANGES_TOPIC: stream.topics.changes,
        USER_EVENTS_TOPIC: stream.topics.userEvents,
        CAPTURE_TABLES_FUNCTION: schema.captureTables.functionName,
      } satisfies Record<keyof ApplyLatestStateEnvironment, string>,
    })
    target.database.grantUse(this.apply, target.applyCredentials)
    schema.captureTables.grantInvoke(this.apply)
    this.#deliver('Changes', stream.topics.changes, 'tidemark-latest-state', props)
    this.#deliver('UserEvents', stream.topics.userEvents, 'tidemark-user-state', props)
    this.#applyAgain(schema)
    this.#watch()
  }

  /**
   * Invokes the function each minute, so that what a user asked to apply again is applied even when no record comes.
   */
  #applyAgain(schema: Schema): void {
    const everyMinute = new events.Rule(this, 'EveryMinute', {
      description: 'Applies quarantined records that were retried, and counts tables that are not captured any more',
      schedule: events.Schedule.rate(Duration.minutes(1)),
      targets: [
        new targets.LambdaFunction(this.apply, {
          event: events.RuleTargetInput.fromObject({ records: {} }),
          // A failed invocation is not repeated, because the next one comes a minute later.
          retryAttempts: 0,
        }),
      ],
    })
    everyMinute.node.addDependency(schema)
  }

  /** docs/architecture.md, "When something is wrong", says what to do about these alarms. */
  #watch(): void {
    const alarm = (id: string, metricName: string, alarmDescription: string, evaluationPeriods: number, minutes = 1) =>
      new cloudwatch.Alarm(this, id, {
        alarmDescription,
        metric: new cloudwatch.Metric({
          namespace: 'Tidemark',
          metricName,
          dimensionsMap: { Capability: 'latest-state' },
          statistic: 'Sum',
          period: Duration.minutes(minutes),
        }),
        threshold: 0,
        evaluationPeriods,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      })
    alarm(
      'NotApplied',
      'FailedTopicPartitions',
      'A topic partition has not been applied for three minutes: tidemark.stop in the target has the reason',
      3,
    )
    // Tables are counted once a minute. One that will be captured again by itself is captured within a few minutes.
    alarm(
      'NotCaptured',
      'NotCapturedTables',
      'A table that was captured has not been captured for ten minutes: tidemark.not_captured in the target has the reason',
      2,
      5,
    )
    alarm(
      'Quarantined',
      'QuarantinedRecords',
      'Records were put into quarantine instead of applied: npm run quarantine -- list shows them',
      1,
    )
  }

  /** Delivers a topic to the function, which quarantines what cannot be applied, in its own transaction. */
  #deliver(
    id: string,
    topic: string,
    consumerGroup: string,
    { settings, stream, capture, platform }: LatestStateProps,
  ) {
    const target = this.apply
    const mapping = deliverTopic(this, id, {
      platform,
      stream,
      target,
      topic,
      consumerGroup,
      windowSeconds: 0,
      pollers: settings.pollers,
    })
    mapping.node.addDependency(stream, capture.connector)
  }
}
