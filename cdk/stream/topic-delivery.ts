// With which settings does an event source mapping deliver a topic to a function?

import { Duration } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { KafkaLogins } from './kafka-logins.ts'
import type { Stream } from './stream.ts'

/**
 * The fewest and the most provisioned pollers. They always run, so there is no cold start, and they need no network
 * path of their own.
 */
export type PollerSettings = { minimum: number; maximum: number }

export type TopicDelivery = {
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The brokers and topics. */
  stream: Stream
  /** The function that gets the records. */
  target: PipelineFunction
  /** The topic. */
  topic: string
  /** The consumer group of the mapping. */
  consumerGroup: string
  /** How long records may be gathered for a batch. */
  windowSeconds: number
  /** The fewest and the most pollers of each topic. */
  pollers: PollerSettings
}

/**
 * Delivers a topic to a function. The function reports the topic partitions that failed, so that they do not hold up
 * the others of the same event. A batch that ends the function itself is split, again and again, until the record that
 * causes it is alone. Both need provisioned pollers. There is no on-failure destination: with one, infinite retries
 * silently become ten, and the batch is discarded.
 */
export function deliverTopic(scope: Construct, id: string, delivery: TopicDelivery): lambda.EventSourceMapping {
  const { platform, stream, target, topic, consumerGroup, windowSeconds, pollers } = delivery
  stream.grantDelivery(target.role!, topic, consumerGroup)
  return new lambda.EventSourceMapping(scope, id, {
    target,
    eventSourceArn: stream.clusterArn,
    kafkaTopic: topic,
    kafkaConsumerGroupId: consumerGroup,
    // With LATEST, records can be missed while a mapping is created or updated.
    startingPosition: lambda.StartingPosition.TRIM_HORIZON,
    batchSize: 10_000,
    maxBatchingWindow: Duration.seconds(windowSeconds),
    ...(stream.logins === undefined ? {} : { sourceAccessConfigurations: [scramLogin(stream.logins)] }),
    reportBatchItemFailures: true,
    bisectBatchOnError: true,
    provisionedPollerConfig: {
      minimumPollers: pollers.minimum,
      maximumPollers: pollers.maximum,
      pollerGroupName: `tidemark-${platform.stage}`,
    },
  })
}

const scramLogin = (logins: KafkaLogins): lambda.SourceAccessConfiguration => ({
  type: lambda.SourceAccessConfigurationType.SASL_SCRAM_512_AUTH,
  uri: logins.secretOf('delivery').secretArn,
})
