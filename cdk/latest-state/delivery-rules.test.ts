import { rmSync } from 'node:fs'
import { App, Stack } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { expect, test } from 'vitest'
import { refuseSilentDrops } from './delivery-rules.ts'

function synthWith(controls: Partial<lambda.CfnEventSourceMappingProps>): () => void {
  const app = new App({ builtinCloudFormationValidation: false })
  const stack = new Stack(app, 'stack')
  refuseSilentDrops(stack)
  new lambda.CfnEventSourceMapping(stack, 'Mapping', { functionName: 'f', topics: ['t'], ...controls })
  return () => {
    try {
      app.synth()
    } finally {
      rmSync(app.outdir, { recursive: true, force: true })
    }
  }
}

const pollers = { provisionedPollerConfig: { minimumPollers: 1 } }

test.each([
  [{ maximumRetryAttempts: 3 }, 'maximumRetryAttempts'],
  [{ maximumRecordAgeInSeconds: 60 }, 'maximumRecordAgeInSeconds'],
  [{ bisectBatchOnFunctionError: true }, 'bisectBatchOnFunctionError'],
  [{ functionResponseTypes: ['ReportBatchItemFailures'] }, 'functionResponseTypes'],
])('a mapping without pollers that sets %o is refused at synth', (controls, named) => {
  expect(synthWith(controls)).toThrow(`stack/Mapping: Kafka honours ${named} in provisioned mode only`)
})

test('an on-failure destination with infinite retries is refused at synth', () => {
  const destinationConfig = { onFailure: { destination: 'arn:aws:sqs:us-east-1:1:q' } }

  expect(synthWith({ ...pollers, destinationConfig })).toThrow('infinite retries become ten')
  expect(synthWith({ ...pollers, destinationConfig, maximumRetryAttempts: -1 })).toThrow('infinite retries become ten')
})

test('with pollers the same controls pass, a destination with a number of retries too', () => {
  const destinationConfig = { onFailure: { destination: 'arn:aws:sqs:us-east-1:1:q' } }

  expect(synthWith({ ...pollers, destinationConfig, maximumRetryAttempts: 3 })).not.toThrow()
  expect(synthWith({})).not.toThrow()
})
