import { randomUUID } from 'node:crypto'
import type { FinishedEvent } from './event-queue.ts'
import type { Destination } from './event-settings.ts'

/** What Lambda sends to a service that is a destination. `arn` names the queue, topic, bucket or bus. */
export type ServiceMessage =
  | { service: 'sqs'; arn: string; body: string }
  | { service: 'sns'; arn: string; message: string }
  | { service: 's3'; arn: string; key: string; body: string }
  | {
      service: 'events'
      arn: string
      source: 'lambda'
      detailType: `Lambda Function Invocation Result - ${'Success' | 'Failure'}`
      resources: string[]
      /** The record's JSON. */
      detail: string
    }

/** What Lambda sends to a service or a function that is a destination. */
export type DestinationMessage = ServiceMessage | { service: 'lambda'; arn: string; payload: string }

/**
 * The JSON document about an asynchronous invocation.
 * Source: AWS Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
 */
export function invocationRecord(functionArn: string, finished: FinishedEvent, now: Date): string {
  const { event, condition, invocations, outcome } = finished
  return JSON.stringify({
    version: '1.0',
    timestamp: now.toISOString(),
    requestContext: {
      requestId: event.requestId,
      functionArn: `${functionArn}:$LATEST`,
      condition,
      approximateInvokeCount: invocations,
    },
    requestPayload: JSON.parse(event.payload.toString()),
    ...(outcome && {
      responseContext: {
        statusCode: 200,
        executedVersion: '$LATEST',
        ...(outcome.functionError && { functionError: outcome.functionError }),
      },
      responsePayload: parseOrText(outcome.payload.toString()),
    }),
  })
}

/** The record in the form that the destination's service gets. Source: the same page, "Adding a destination". */
export function destinationMessage(
  destination: Destination,
  record: string,
  {
    functionName,
    functionArn,
    succeeded,
    now,
  }: { functionName: string; functionArn: string; succeeded: boolean; now: Date },
): DestinationMessage {
  const { arn } = destination
  switch (destination.service) {
    case 'lambda':
      return { service: 'lambda', arn, payload: record }
    case 'sqs':
      return { service: 'sqs', arn, body: record }
    case 'sns':
      return { service: 'sns', arn, message: record }
    case 's3':
      return { service: 's3', arn, key: objectKey(functionName, now), body: record }
    case 'events':
      return {
        service: 'events',
        arn,
        source: 'lambda',
        detailType: `Lambda Function Invocation Result - ${succeeded ? 'Success' : 'Failure'}`,
        resources: [arn, `${functionArn}:$LATEST`],
        detail: record,
      }
  }
}

/** `aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<random UUID>`, in UTC. */
function objectKey(functionName: string, now: Date): string {
  const [date, time] = now.toISOString().split('T') as [string, string]
  const stamp = `${date}T${time.slice(0, 8).replaceAll(':', '.')}`
  return `aws/lambda/async/${functionName}/${date.replaceAll('-', '/')}/${stamp}-${randomUUID()}`
}

/** A function that streams its answer may answer with text that is not JSON. */
function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
