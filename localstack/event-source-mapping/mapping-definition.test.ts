import { expect, test } from 'vitest'
import { readMapping } from './mapping-definition.ts'

const minimal = {
  EventSourceArn: 'arn:aws:kafka:eu-central-1:0:cluster/a/b',
  FunctionName: 'apply',
  Topics: ['changes'],
  StartingPosition: 'TRIM_HORIZON',
}

test("AWS's defaults are filled in", () => {
  expect(readMapping(minimal)).toEqual({
    eventSourceArn: minimal.EventSourceArn,
    functionName: 'apply',
    topic: 'changes',
    batchSize: 100,
    windowMs: 500,
    startingPosition: 'TRIM_HORIZON',
    enabled: true,
    reportsItemFailures: false,
  })
})

test('everything supported is read, numbers also as the text CloudFormation allows', () => {
  expect(
    readMapping({
      ...minimal,
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'tidemark-latest-state' },
      BatchSize: '10000',
      Enabled: 'false',
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      MaximumBatchingWindowInSeconds: 0,
      ProvisionedPollerConfig: { MinimumPollers: 1, MaximumPollers: '4' },
      StartingPosition: 'AT_TIMESTAMP',
      StartingPositionTimestamp: 1_700_000_000,
      Tags: [],
    }),
  ).toMatchObject({
    consumerGroupId: 'tidemark-latest-state',
    batchSize: 10_000,
    windowMs: 0,
    enabled: false,
    reportsItemFailures: true,
    maximumPollers: 4,
    startingPosition: { timestampMs: 1_700_000_000_000 },
  })
})

test('values that ask for what happens anyway are taken', () => {
  const usual = { MaximumRetryAttempts: -1, MaximumRecordAgeInSeconds: -1, BisectBatchOnFunctionError: false }

  expect(readMapping({ ...minimal, ...usual })).toEqual(readMapping(minimal))
})

test.each([
  [{ MaximumRetryAttempts: 3 }, 'MaximumRetryAttempts is not supported locally yet'],
  [{ BisectBatchOnFunctionError: true }, 'BisectBatchOnFunctionError is not supported locally yet'],
  [{ DestinationConfig: {} }, 'DestinationConfig is not supported locally yet'],
  [{ FilterCriteria: {} }, 'FilterCriteria is not supported locally yet'],
  [{ SelfManagedEventSource: {} }, 'SelfManagedEventSource is not supported locally yet'],
  [{ NoSuchProperty: 1 }, 'NoSuchProperty is not supported locally yet'],
  [{ AmazonManagedKafkaEventSourceConfig: { SchemaRegistryConfig: {} } }, 'SchemaRegistryConfig is not supported'],
  [{ ProvisionedPollerConfig: { PollerGroupName: 'g' } }, 'PollerGroupName is not supported'],
  [{ BatchSize: 10_001 }, 'BatchSize must be a whole number from 1 to 10000, not 10001'],
  [{ MaximumBatchingWindowInSeconds: 0.5 }, 'MaximumBatchingWindowInSeconds must be a whole number from 0 to 300'],
  [{ ProvisionedPollerConfig: { MinimumPollers: 5, MaximumPollers: 4 } }, 'MinimumPollers is greater than'],
  [{ Topics: ['a', 'b'] }, 'Topics takes the name of exactly one topic'],
  [{ Topics: undefined }, 'Topics takes the name of exactly one topic'],
  [{ StartingPosition: 'FIRST' }, 'StartingPosition FIRST is unknown'],
  [{ StartingPosition: undefined }, 'StartingPosition is missing'],
  [{ StartingPosition: 'AT_TIMESTAMP' }, 'AT_TIMESTAMP needs StartingPositionTimestamp'],
  [{ FunctionName: undefined }, 'FunctionName is missing'],
  [{ FunctionResponseTypes: ['ReportBatchItemFailures'] }, 'FunctionResponseTypes needs ProvisionedPollerConfig'],
  [{ FunctionResponseTypes: ['Other'] }, 'FunctionResponseTypes takes ReportBatchItemFailures only'],
])('%j is refused by its name', (properties, message) => {
  expect(() => readMapping({ ...minimal, ...properties })).toThrow(message)
})
