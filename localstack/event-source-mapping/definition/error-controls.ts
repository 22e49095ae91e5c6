import { type FailureDestination, readDestination } from './failure-destination.ts'
import { type Properties, refuse, truth, whole } from './properties.ts'

/** What happens to a batch that the function does not accept. */
export type ErrorControls = {
  /** Attempts after the first one. Absent: the batch is repeated until it succeeds. */
  maximumRetryAttempts?: number
  /** A record that is older is not sent any more. Absent: the age is not limited. */
  maximumRecordAgeMs?: number
  /** Whether a batch that fails is split in two. */
  bisectBatch: boolean
  /** Whether the function may answer with `batchItemFailures`. */
  reportsItemFailures: boolean
  /** Where the metadata of discarded batches goes. */
  destination?: FailureDestination
}

/** AWS applies ten retries when retries are infinite and there is a destination. */
const retriesWithDestination = 10

/**
 * Reads the error handling controls of a Kafka mapping, which require provisioned mode. Throws an Error that names the
 * property.
 * Source: AWS, "Configuring error handling controls for Kafka event sources".
 */
export function readErrorControls(properties: Properties, provisioned: boolean, topic: string): ErrorControls {
  const retries = whole(properties, 'MaximumRetryAttempts', -1, 10_000) ?? -1
  const ageSeconds = whole(properties, 'MaximumRecordAgeInSeconds', -1, 604_800) ?? -1
  if (ageSeconds !== -1 && ageSeconds < 60) {
    refuse(`MaximumRecordAgeInSeconds must be -1 or from 60 to 604800, not ${ageSeconds}`)
  }
  const bisectBatch = truth(properties, 'BisectBatchOnFunctionError', false)
  const reportsItemFailures = readResponseTypes(properties['FunctionResponseTypes'])
  const destination = readDestination(properties['DestinationConfig'], topic)
  if (!provisioned) {
    const used = {
      MaximumRetryAttempts: retries !== -1,
      MaximumRecordAgeInSeconds: ageSeconds !== -1,
      BisectBatchOnFunctionError: bisectBatch,
      FunctionResponseTypes: reportsItemFailures,
      'A Kafka topic in DestinationConfig': destination?.kind === 'kafka',
    }
    for (const [name, isUsed] of Object.entries(used)) {
      if (isUsed) refuse(`${name} needs ProvisionedPollerConfig: on AWS Kafka has it in provisioned mode only`)
    }
  }
  const cap = retries === -1 && destination !== undefined ? retriesWithDestination : retries
  return {
    bisectBatch,
    reportsItemFailures,
    ...(cap !== -1 && { maximumRetryAttempts: cap }),
    ...(ageSeconds !== -1 && { maximumRecordAgeMs: ageSeconds * 1000 }),
    ...(destination !== undefined && { destination }),
  }
}

function readResponseTypes(types: unknown): boolean {
  if (types === undefined) return false
  if (!Array.isArray(types) || types.some((type) => type !== 'ReportBatchItemFailures')) {
    refuse('FunctionResponseTypes takes ReportBatchItemFailures only')
  }
  return (types as unknown[]).length > 0
}
