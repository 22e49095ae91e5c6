import { expect, test } from 'vitest'
import type { FinishedEvent } from './event-queue.ts'
import { checkEventSettings, readDestination, usualEventSettings } from './event-settings.ts'
import { destinationMessage, invocationRecord } from './invocation-record.ts'

// Source: AWS Lambda developer guide, "Capturing records of Lambda asynchronous invocations".

const functionArn = 'arn:aws:lambda:us-east-1:123456789012:function:my-function'
const now = new Date('2019-11-14T18:16:05.568Z')
const event = { requestId: 'e4b46cbf', payload: Buffer.from('{"ORDER_IDS":["9e07af03"]}') }

const failed: FinishedEvent = {
  event,
  condition: 'RetriesExhausted',
  invocations: 3,
  outcome: {
    payload: Buffer.from('{"errorMessage":"Process exited before completing request"}'),
    functionError: 'Unhandled',
    logTail: '',
  },
}

test('the record of an event that failed three times is the one AWS documents', () => {
  expect(JSON.parse(invocationRecord(functionArn, failed, now))).toEqual({
    version: '1.0',
    timestamp: '2019-11-14T18:16:05.568Z',
    requestContext: {
      requestId: 'e4b46cbf',
      functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:my-function:$LATEST',
      condition: 'RetriesExhausted',
      approximateInvokeCount: 3,
    },
    requestPayload: { ORDER_IDS: ['9e07af03'] },
    responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
    responsePayload: { errorMessage: 'Process exited before completing request' },
  })
})

test('the record of a success has no functionError', () => {
  const record = JSON.parse(
    invocationRecord(
      functionArn,
      { event, condition: 'Success', invocations: 1, outcome: { payload: Buffer.from('7'), logTail: '' } },
      now,
    ),
  )

  expect(record.requestContext).toMatchObject({ condition: 'Success', approximateInvokeCount: 1 })
  expect(record.responseContext).toEqual({ statusCode: 200, executedVersion: '$LATEST' })
  expect(record.responsePayload).toBe(7)
})

test('the record of an event the function never saw has no response', () => {
  const record = JSON.parse(
    invocationRecord(functionArn, { event, condition: 'ZeroReservedConcurrency', invocations: 0 }, now),
  )

  expect(Object.keys(record)).toEqual(['version', 'timestamp', 'requestContext', 'requestPayload'])
})

test.each([
  ['arn:aws:lambda:us-east-1:123456789012:function:other', { service: 'lambda', payload: '{}' }],
  ['arn:aws:sqs:us-east-1:1:q', { service: 'sqs', body: '{}' }],
  ['arn:aws:sns:us-east-1:1:t', { service: 'sns', message: '{}' }],
  [
    'arn:aws:s3:::failures',
    {
      service: 's3',
      key: expect.stringMatching(
        /^aws\/lambda\/async\/my-function\/2019\/11\/14\/2019-11-14T18\.16\.05-[0-9a-f-]{36}$/,
      ),
      body: '{}',
    },
  ],
  [
    'arn:aws:events:us-east-1:1:event-bus/default',
    {
      service: 'events',
      source: 'lambda',
      detailType: 'Lambda Function Invocation Result - Failure',
      resources: ['arn:aws:events:us-east-1:1:event-bus/default', `${functionArn}:$LATEST`],
      detail: '{}',
    },
  ],
])('%s gets the record in its own form', (arn, message) => {
  const context = { functionName: 'my-function', functionArn, succeeded: false, now }

  expect(destinationMessage(readDestination(arn, 'OnFailure'), '{}', context)).toEqual({ arn, ...message })
})

test.each([
  ['a bucket for successes', { onSuccess: 'arn:aws:s3:::failures' }, 'arn:aws:s3:::failures is invalid for OnSuccess'],
  ['a FIFO queue', { onFailure: 'arn:aws:sqs:us-east-1:1:q.fifo' }, 'q.fifo is invalid for OnFailure'],
  ['the function itself', { onFailure: functionArn }, "You can't specify the function as a destination for itself."],
  ['three retries', { maximumRetryAttempts: 3 }, 'MaximumRetryAttempts is 3, it can be 0, 1 or 2'],
  ['half a minute of age', { maximumEventAgeSeconds: 30 }, 'MaximumEventAgeInSeconds is 30, it can be 60 to 21600'],
])('%s is refused', (_, settings, reason) => {
  expect(() => checkEventSettings('my-function', { ...usualEventSettings, ...settings })).toThrow(reason)
})
