import * as lambda from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'

/** Properties with which Lambda ends the retries of a batch. */
const ERROR_CONTROLS = [
  'bisectBatchOnFunctionError',
  'destinationConfig',
  'functionResponseTypes',
  'maximumRecordAgeInSeconds',
  'maximumRetryAttempts',
] as const

/**
 * Refuses, at synthesis and in every mapping below `scope`, settings which CDK and CloudFormation accept but Lambda
 * treats in another way.
 */
export function refuseSilentDrops(scope: Construct): void {
  scope.node.addValidation({
    validate: () =>
      scope.node
        .findAll()
        .filter((construct) => construct instanceof lambda.CfnEventSourceMapping)
        .flatMap((mapping) => findings(mapping).map((finding) => `${mapping.node.path}: ${finding}`)),
  })
}

function findings(mapping: lambda.CfnEventSourceMapping): string[] {
  const controls = ERROR_CONTROLS.filter((name) => mapping[name] !== undefined)
  const found: string[] = []
  if (controls.length > 0 && mapping.provisionedPollerConfig === undefined) {
    found.push(`Kafka honours ${controls.join(', ')} in provisioned mode only: give it pollers`)
  }
  if (mapping.destinationConfig !== undefined && (mapping.maximumRetryAttempts ?? -1) === -1) {
    found.push('with an on-failure destination infinite retries become ten, then the batch is dropped: set them')
  }
  return found
}
