import { expect, test } from 'vitest'
import { readMapping } from './mapping-definition.ts'

const minimal = {
  EventSourceArn: 'arn:aws:kafka:eu-central-1:0:cluster/a/b',
  FunctionName: 'apply',
  Topics: ['changes'],
  StartingPosition: 'TRIM_HORIZON',
}

const onFailure = (Destination: string) => ({ OnFailure: { Destination } })

test("AWS's defaults are filled in", () => {
  expect(readMapping(minimal)).toEqual({
    eventSourceArn: minimal.EventSourceArn,
    access: [],
    bisectBatch: false,
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
  [{ MaximumRetryAttempts: 3 }, 'MaximumRetryAttempts needs ProvisionedPollerConfig'],
  [{ MaximumRetryAttempts: 10_001 }, 'MaximumRetryAttempts must be a whole number from -1 to 10000'],
  [{ MaximumRecordAgeInSeconds: 60 }, 'MaximumRecordAgeInSeconds needs ProvisionedPollerConfig'],
  [{ MaximumRecordAgeInSeconds: 59 }, 'MaximumRecordAgeInSeconds must be -1 or from 60 to 604800, not 59'],
  [{ BisectBatchOnFunctionError: true }, 'BisectBatchOnFunctionError needs ProvisionedPollerConfig'],
  [
    { DestinationConfig: onFailure('kafka://failed') },
    'A Kafka topic in DestinationConfig needs ProvisionedPollerConfig',
  ],
  [{ DestinationConfig: onFailure('kafka://changes') }, 'names the topic changes itself'],
  [{ DestinationConfig: onFailure('arn:aws:lambda:eu-central-1:0:function:f') }, 'takes the ARN of an SQS queue'],
  [{ DestinationConfig: { OnSuccess: {} } }, 'DestinationConfig.OnSuccess is not for event source mappings'],
  [{ SelfManagedEventSource: {} }, 'EventSourceArn and SelfManagedEventSource exclude each other'],
  [{ SelfManagedKafkaEventSourceConfig: {} }, 'SelfManagedKafkaEventSourceConfig is for another kind'],
  [{ SourceAccessConfigurations: [{ Type: 'BASIC_AUTH', URI: 'arn' }] }, 'BASIC_AUTH is not supported, only CLIENT'],
  [{ SourceAccessConfigurations: [{ Type: 'SASL_SCRAM_512_AUTH' }] }, 'SASL_SCRAM_512_AUTH needs a URI'],
  [{ NoSuchProperty: 1 }, 'NoSuchProperty is not supported locally yet'],
  [{ AmazonManagedKafkaEventSourceConfig: { SchemaRegistryConfig: {} } }, 'SchemaRegistryConfig is not supported'],
  [{ ProvisionedPollerConfig: { Other: 'g' } }, 'ProvisionedPollerConfig.Other is not supported'],
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

const nameFailed =
  /^event source mapping: 1 validation error detected: Value '.*' at 'topics' failed to satisfy constraint/

// Source: Lambda API reference, "CreateEventSourceMapping".
test.each([
  ['', 'greater than or equal to 1'],
  ['.', 'regular expression pattern'],
  ['..', 'regular expression pattern'],
  ['a', 'regular expression pattern'],
  ['orders of today', 'regular expression pattern'],
  ['x'.repeat(250), 'less than or equal to 249'],
])('a topic named %j is refused as AWS does', (topic, reason) => {
  const read = () => readMapping({ ...minimal, Topics: [topic] })

  expect(read).toThrow(nameFailed)
  expect(read).toThrow(reason)
  expect(read).toThrow(expect.objectContaining({ errorType: 'ValidationException' }))
})

test.each([
  ['AmazonManagedKafkaEventSourceConfig', { EventSourceArn: minimal.EventSourceArn }],
  [
    'SelfManagedKafkaEventSourceConfig',
    {
      EventSourceArn: undefined,
      SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['127.0.0.1:9092'] } },
    },
  ],
])('a consumer group that AWS refuses is refused in %s', (config, source) => {
  const read = (ConsumerGroupId: string) => readMapping({ ...minimal, ...source, [config]: { ConsumerGroupId } })

  expect(read('g'.repeat(200)).consumerGroupId).toHaveLength(200)
  for (const group of ['', 'g'.repeat(201), 'group of mine', 'größe']) {
    expect(() => read(group)).toThrow(expect.objectContaining({ errorType: 'ValidationException' }))
  }
})

test.each([
  [{ BatchSize: 0 }, 'BatchSize must be a whole number from 1 to 10000'],
  [{ BatchSize: 10_001 }, 'BatchSize must be a whole number from 1 to 10000'],
  [{ MaximumBatchingWindowInSeconds: 301 }, 'MaximumBatchingWindowInSeconds must be a whole number from 0 to 300'],
])('%j is out of range', (properties, reason) => {
  const read = () => readMapping({ ...minimal, ...properties })

  expect(read).toThrow(reason)
  expect(read).toThrow(expect.objectContaining({ errorType: 'ValidationException' }))
})

test('a start in the future is refused, one until now is taken, also as a time', () => {
  const nowMs = Date.parse('2026-11-29T12:00:00Z')
  const read = (StartingPositionTimestamp: unknown) =>
    readMapping({ ...minimal, StartingPosition: 'AT_TIMESTAMP', StartingPositionTimestamp }, { filters: 5 }, nowMs)

  expect(read(nowMs / 1000).startingPosition).toEqual({ timestampMs: nowMs })
  expect(read('2026-11-29T12:00:00Z').startingPosition).toEqual({ timestampMs: nowMs })
  expect(() => read(nowMs / 1000 + 1)).toThrow('StartingPositionTimestamp cannot be in the future')
  expect(() => read('tomorrow')).toThrow('AT_TIMESTAMP needs StartingPositionTimestamp')
})
