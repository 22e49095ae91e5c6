import { members, refuse } from './properties.ts'

/** Where discarded batches go: DestinationConfig.OnFailure. */
export type FailureDestination =
  | { kind: 'sqs'; arn: string; account: string; region: string; queue: string }
  | { kind: 'sns'; arn: string; region: string }
  | { kind: 's3'; arn: string; bucket: string }
  | { kind: 'kafka'; topic: string }

/** One message to a destination. */
export type DestinationMessage = {
  /** JSON text. */
  body: string
  /** For Kafka: the key of the record; absent when it has none. */
  key?: Buffer
  /** For S3: the object's key. */
  objectKey?: string
}

/** Writes all messages to the destination, in order. Rejects when the destination refuses one of them. */
export type Deliver = (destination: FailureDestination, messages: DestinationMessage[]) => Promise<void>

/**
 * Reads DestinationConfig; undefined when it names no destination. `topic` is the source and cannot be the destination.
 * Throws an Error with the reason.
 */
export function readDestination(config: unknown, topic: string): FailureDestination | undefined {
  const parts = members({ DestinationConfig: config }, 'DestinationConfig', ['OnFailure', 'OnSuccess'])
  if (parts?.['OnSuccess'] !== undefined) refuse('DestinationConfig.OnSuccess is not for event source mappings')
  const destination = (parts?.['OnFailure'] as { Destination?: unknown } | undefined)?.Destination
  if (destination === undefined) return undefined
  if (typeof destination !== 'string') refuse('DestinationConfig.OnFailure.Destination must be text')
  return parseDestination(destination as string, topic)
}

function parseDestination(destination: string, source: string): FailureDestination {
  const kafka = /^kafka:\/\/([\w.-]+)$/.exec(destination)?.[1]
  if (kafka === source) refuse(`DestinationConfig.OnFailure names the topic ${source} itself: records would go round`)
  if (kafka !== undefined) return { kind: 'kafka', topic: kafka }
  const [, service, region, account, resource] =
    /^arn:[\w-]+:(sqs|sns|s3):([\w-]*):(\d*):([^:/]+)$/.exec(destination) ?? []
  if (service === 'sqs') {
    return { kind: 'sqs', arn: destination, account: account!, region: region!, queue: resource! }
  }
  if (service === 'sns') return { kind: 'sns', arn: destination, region: region! }
  if (service === 's3') return { kind: 's3', arn: destination, bucket: resource! }
  return refuse(
    `DestinationConfig.OnFailure takes the ARN of an SQS queue, an SNS topic or an S3 bucket, or kafka://topic, not ${destination}`,
  )
}
