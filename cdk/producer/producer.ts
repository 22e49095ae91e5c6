import { Construct } from 'constructs'
import type { ProducerEnvironment } from '#lambdas/producer/environment.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { Source } from '../source/source.ts'
import type { Stream } from '../stream/stream.ts'

export type ProducerProps = {
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The brokers and topics. */
  stream: Stream
  /** The database that is captured. */
  source: Source
}

/** Makes load on demand: plain deltas into `user-events`, or rows into the source. */
export class Producer extends Construct {
  readonly produce: PipelineFunction

  constructor(scope: Construct, id: string, { platform, stream, source }: ProducerProps) {
    super(scope, id)
    this.produce = new PipelineFunction(this, 'Produce', {
      platform,
      folder: 'producer',
      description: 'Produces load: deltas or rows at a rate',
      memoryMiB: 512,
      timeoutSeconds: 840,
      environment: {
        CLUSTER_ARN: stream.clusterArn,
        KAFKA_AUTHENTICATION: stream.authentication,
        KAFKA_SECRET_ARN: stream.logins?.secretOf('producer').secretArn ?? '',
        USER_EVENTS_TOPIC: stream.topics.userEvents,
        SOURCE_SECRET_ARN: source.producerCredentials.secretArn,
        DATABASE_TLS: platform.databaseTls,
      } satisfies Record<keyof ProducerEnvironment, string>,
    })
    stream.grantWrite(this.produce, stream.topics.userEvents, 'producer')
    stream.grantCreate(this.produce, stream.topics.userEvents, 'producer')
    source.database.grantUse(this.produce, source.producerCredentials)
  }
}
