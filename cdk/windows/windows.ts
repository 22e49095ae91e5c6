import { CustomResource, Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import type { MaintainWindowsEnvironment } from '#lambdas/maintain-windows/environment.ts'
import type { Capture } from '../capture/capture.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { Schema } from '../schema/schema.ts'
import type { Stream } from '../stream/stream.ts'
import { deliverTopic, type PollerSettings } from '../stream/topic-delivery.ts'
import type { Target } from '../target/target.ts'
import type { DefinitionFile } from './definition-files.ts'

export type WindowsSettings = {
  /** Memory of the function; its processors grow with it. */
  memoryMiB: number
  /** Seconds after which an invocation is ended. */
  timeoutSeconds: number
  /** The most batches in flight at once. This concurrency is reserved for the function, from the account's quota. */
  concurrency: number
  /** The fewest and the most pollers. */
  pollers: PollerSettings
}

export type WindowsProps = {
  /** What the stage decides about windows. */
  settings: WindowsSettings
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
  /** The definitions of the project. */
  definitions: readonly DefinitionFile[]
}

/** Keeps what the definitions of `windows/` compute equal to the rows of the target, and publishes it. */
export class Windows extends Construct {
  readonly maintain: PipelineFunction

  constructor(scope: Construct, id: string, props: WindowsProps) {
    super(scope, id)
    const { platform, stream, schema, capture, settings } = props
    const deployed = this.#deployDefinitions(props)
    this.maintain = this.#maintainWindows(props)
    this.#publish(props)
    const mapping = deliverTopic(this, 'Changes', {
      platform,
      stream,
      target: this.maintain,
      topic: stream.topics.changes,
      consumerGroup: 'tidemark-windows',
      windowSeconds: 0,
      pollers: settings.pollers,
    })
    mapping.node.addDependency(stream, capture.connector)
    this.#everyMinute(schema, deployed)
    this.#watch()
  }

  /**
   * The definitions are properties of a resource of their own, so that a changed definition changes nothing else: no
   * function is deployed again.
   */
  #deployDefinitions({ schema, definitions }: WindowsProps): CustomResource {
    const deployed = new CustomResource(this, 'Definitions', {
      resourceType: 'Custom::Windows',
      serviceToken: schema.migrateSchema.functionArn,
      serviceTimeout: Duration.minutes(11),
      properties: { Definitions: Object.fromEntries(definitions.map(({ name, text }) => [name, asciiJson(text)])) },
    })
    deployed.node.addDependency(schema)
    return deployed
  }

  #maintainWindows({ settings, platform, stream, target }: WindowsProps): PipelineFunction {
    const maintain = new PipelineFunction(this, 'MaintainWindows', {
      platform,
      folder: 'maintain-windows',
      description: 'Computes the windows whose rows change, and publishes them',
      memoryMiB: settings.memoryMiB,
      timeoutSeconds: settings.timeoutSeconds,
      concurrency: settings.concurrency,
      environment: {
        TARGET_SECRET_ARN: target.windowsCredentials.secretArn,
        DATABASE_TLS: platform.databaseTls,
        CHANGES_TOPIC: stream.topics.changes,
        CLUSTER_ARN: stream.clusterArn,
        KAFKA_AUTHENTICATION: stream.authentication,
        KAFKA_SECRET_ARN: stream.logins?.secretOf('windows').secretArn ?? '',
      } satisfies Record<keyof MaintainWindowsEnvironment, string>,
    })
    target.database.grantUse(maintain, target.windowsCredentials)
    return maintain
  }

  /** The function may create and write the topics that the definitions name, and no others. */
  #publish({ stream, definitions }: WindowsProps): void {
    stream.logins?.grantLogin('windows', this.maintain)
    stream.grantConnect(this.maintain)
    for (const { definition } of definitions) {
      if (definition.publish === undefined) continue
      stream.grantWrite(this.maintain, definition.publish, 'windows')
      stream.grantCreate(this.maintain, definition.publish, 'windows')
      stream.grantTransactions(this.maintain, `tidemark-windows-${definition.publish}`, 'windows')
    }
  }

  /** Windows close and backfills go on also while no record comes, and what could not be published is tried again. */
  #everyMinute(schema: Schema, deployed: CustomResource): void {
    const everyMinute = new events.Rule(this, 'EveryMinute', {
      description: 'Closes windows, goes on with backfills and publishes what waits',
      schedule: events.Schedule.rate(Duration.minutes(1)),
      targets: [
        new targets.LambdaFunction(this.maintain, {
          event: events.RuleTargetInput.fromObject({ records: {} }),
          // A failed invocation is not repeated, because the next one comes a minute later.
          retryAttempts: 0,
        }),
      ],
    })
    everyMinute.node.addDependency(schema, deployed)
  }

  /** docs/windows.md says what to do about these alarms. */
  #watch(): void {
    const alarm = (id: string, metricName: string, alarmDescription: string, statistic: 'Sum' | 'Maximum') =>
      new cloudwatch.Alarm(this, id, {
        alarmDescription,
        metric: new cloudwatch.Metric({
          namespace: 'Tidemark',
          metricName,
          dimensionsMap: { Capability: 'windows' },
          statistic,
          period: Duration.minutes(1),
        }),
        threshold: 0,
        evaluationPeriods: 3,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      })
    alarm('NotMaintained', 'FailedTopicPartitions', 'A topic partition has not been counted for three minutes', 'Sum')
    alarm(
      'DefinitionStopped',
      'StoppedDefinitions',
      'A definition of windows has been stopped for 3 minutes',
      'Maximum',
    )
  }
}

/** CloudFormation replaces characters beyond ASCII in properties with question marks, so they are escaped. */
const asciiJson = (text: string): string =>
  JSON.stringify(text).replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
