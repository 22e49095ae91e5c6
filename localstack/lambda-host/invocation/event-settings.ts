import { functionNameOf } from '../bundle/function-definition.ts'

/** How asynchronous invocations of a function are handled: the properties of AWS::Lambda::EventInvokeConfig. */
export type EventSettings = {
  /** Retries after a function error, 0 to 2. */
  maximumRetryAttempts: number
  /** How old an event may become before it is discarded, 60 to 21,600. */
  maximumEventAgeSeconds: number
  /** ARN of the destination for a record of each success. */
  onSuccess?: string
  /** ARN of the destination for a record of each discarded event. */
  onFailure?: string
}

/** AWS's defaults. */
export const usualEventSettings: EventSettings = { maximumRetryAttempts: 2, maximumEventAgeSeconds: 6 * 3600 }

/** A destination: its service, and its ARN. */
export type Destination =
  | { service: 'lambda'; arn: string; functionName: string }
  | { service: 'sqs' | 'sns' | 's3' | 'events'; arn: string }

/**
 * Reads a destination. Throws an Error when AWS does not deliver invocation records to `arn`. S3 takes only failures.
 */
export function readDestination(arn: string, condition: 'OnSuccess' | 'OnFailure'): Destination {
  const [, , service = '', , , ...resource] = arn.split(':')
  const functionName = functionNameOf(arn)
  if (service === 'lambda' && functionName !== undefined) return { service, arn, functionName }
  if ((service === 'sqs' || service === 'sns') && !arn.endsWith('.fifo')) return { service, arn }
  if (service === 'events' && resource[0]?.startsWith('event-bus/')) return { service, arn }
  if (service === 's3' && condition === 'OnFailure' && resource.length === 1) return { service, arn }
  throw new Error(`the destination ARN ${arn} is invalid for ${condition}: ${takes[condition]} can be one`)
}

const takes = {
  OnSuccess: 'a function, a standard queue, a standard topic or an event bus',
  OnFailure: 'a function, a standard queue, a standard topic, an event bus or a bucket',
}

/** Throws an Error that names the function, its wrong setting and the allowed values. */
export function checkEventSettings(functionName: string, settings: EventSettings): void {
  const { maximumRetryAttempts: retries, maximumEventAgeSeconds: age, onSuccess, onFailure } = settings
  const wrong = (reason: string) => new Error(`asynchronous invocation of function ${functionName}: ${reason}`)
  if (![0, 1, 2].includes(retries)) throw wrong(`MaximumRetryAttempts is ${retries}, it can be 0, 1 or 2`)
  if (!(age >= 60 && age <= 21_600)) throw wrong(`MaximumEventAgeInSeconds is ${age}, it can be 60 to 21600`)
  const destinations = [
    ...(onSuccess === undefined ? [] : [readDestination(onSuccess, 'OnSuccess')]),
    ...(onFailure === undefined ? [] : [readDestination(onFailure, 'OnFailure')]),
  ]
  if (destinations.some((each) => each.service === 'lambda' && each.functionName === functionName)) {
    throw wrong("You can't specify the function as a destination for itself.")
  }
}
