import { Duration } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import type { ApplyLatestStateEnvironment } from '#lambdas/apply-latest-state/environment.ts'
import type { Capture } from '../capture/capture.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { Schema } from '../schema/schema.ts'
import type { Stream } from '../stream/stream.ts'
import type { Target } from '../target/target.ts'

export type LatestStateSettings = {
  memoryMiB: number
  timeoutSeconds: number
  /** Batches in flight at once, taken from the account's quota and kept for this function. */
  concurrency: number
  /** Pollers that are always there: no cold start, no network path of their own. */
  pollers?: { minimum: number; maximum: number }
}

export type LatestStateProps = LatestStateSettings & {
  platform: FunctionPlatform
  stream: Stream
  target: Target
  schema: Schema
  capture: Capture
}

/** Applies what the topics bring to the target. */
export class LatestState extends Construct {
  readonly apply: PipelineFunction

  constructor(scope: Construct, id: string, props: LatestStateProps) {
    super(scope, id)
    const { platform, stream, target, schema } = props
    if (props.pollers === undefined && !platform.network.carriesPollers) {
      throw new Error(
        'a network without a path to STS and Lambda needs provisioned pollers: nothing would be delivered',
      )
    }
    this.apply = new PipelineFunction(this, 'ApplyLatestState', {
      platform,
      folder: 'apply-latest-state',
      description: 'Applies changes and deltas to the target',
      memoryMiB: props.memoryMiB,
      timeoutSeconds: props.timeoutSeconds,
      concurrency: props.concurrency,
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
  }

  /**
   * No on-failure destination: with one, infinite retries silently become ten and the batch is discarded. What cannot be
   * applied is quarantined by the function, in its own transaction.
   */
  #deliver(id: string, topic: string, consumerGroup: string, { stream, capture, pollers, platform }: LatestStateProps) {
    stream.grantDelivery(this.apply.role!, topic, consumerGroup)
    const mapping = new lambda.EventSourceMapping(this, id, {
      target: this.apply,
      eventSourceArn: stream.clusterArn,
      kafkaTopic: topic,
      kafkaConsumerGroupId: consumerGroup,
      // LATEST can miss records while a mapping is created or updated.
      startingPosition: lambda.StartingPosition.TRIM_HORIZON,
      batchSize: 10_000,
      maxBatchingWindow: Duration.seconds(0),
      ...(pollers === undefined
        ? {}
        : {
            provisionedPollerConfig: {
              minimumPollers: pollers.minimum,
              maximumPollers: pollers.maximum,
              pollerGroupName: `tidemark-${platform.stage}`,
            },
          }),
    })
    mapping.node.addDependency(stream, capture.connector)
  }
}
