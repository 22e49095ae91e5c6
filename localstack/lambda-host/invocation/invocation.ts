/** RequestResponse waits for the answer, Event is queued and retried, DryRun only looks the function up. */
export type InvocationType = 'RequestResponse' | 'Event' | 'DryRun'

/** One event for a function. Its id is in the log, and is the same in every retry. */
export type InvocationEvent = {
  requestId: string
  /** JSON text. */
  payload: Buffer
  /** JSON text, which the handler finds in `context.clientContext`. */
  clientContext?: string
}

/** The result of one event: the function's response, or the error that AWS would report. */
export type Outcome = {
  payload: Buffer
  functionError?: 'Unhandled'
  /** The last 4 KiB of the log of the invocation, with the platform's lines START, END and REPORT. */
  logTail: string
}

/** An answer of the Invoke API. `errorType` is set when the invocation was refused (404, 413, 429). */
export type InvocationAnswer = Outcome & {
  statusCode: 200 | 202 | 204 | 404 | 413 | 429
  errorType?: 'ResourceNotFoundException' | 'RequestEntityTooLargeException' | 'TooManyRequestsException'
}

export type InvocationOptions = {
  type?: InvocationType
  /** Whether to fill `logTail`. */
  log?: boolean
  /** A UUID; a new one if absent. */
  requestId?: string
  /** JSON text, which the handler finds in `context.clientContext`. An Event does not have it. */
  clientContext?: string
}

/**
 * Runs a function, by name or ARN. Every outcome for which AWS has a status is an answer; the promise rejects only when
 * no process can be started. The payload is passed on unread, so it has to be JSON.
 */
export type InvokeFunction = (
  nameOrArn: string,
  payload: Buffer,
  options?: InvocationOptions,
) => Promise<InvocationAnswer>

/**
 * The largest request and response of a synchronous invocation. AWS allows 100 more bytes for the frame of a response.
 */
export const payloadLimitBytes = 6 * 1024 * 1024
export const responseLimitBytes = payloadLimitBytes + 100

/** The largest event of an asynchronous invocation, since October 2025. */
export const eventLimitBytes = 1024 * 1024

/** A function error in AWS's words, for what the platform found and not for what the handler threw. */
export function platformError(errorType: string, errorMessage: string): Pick<Outcome, 'payload' | 'functionError'> {
  return { payload: Buffer.from(JSON.stringify({ errorType, errorMessage })), functionError: 'Unhandled' }
}

/** The `errorType` of an error's JSON; `Runtime.Unknown` when there is none. */
export function errorTypeOf(payload: Buffer): string {
  try {
    return JSON.parse(payload.toString()).errorType ?? 'Runtime.Unknown'
  } catch {
    return 'Runtime.Unknown'
  }
}

/** The response, or AWS's error when it is too large. */
export function withinResponseLimit(payload: Buffer): Pick<Outcome, 'payload' | 'functionError'> {
  if (payload.length <= responseLimitBytes) return { payload }
  const message = `Response payload size exceeded maximum allowed payload size (${responseLimitBytes} bytes).`
  return platformError('Function.ResponseSizeTooLarge', message)
}

/** The answer when there is no such function, version or alias. */
export function functionNotFound(arn: string): InvocationAnswer {
  return refusal(404, 'ResourceNotFoundException', { Message: `Function not found: ${arn}`, Type: 'User' })
}

/** The answer when the event is larger than the Invoke API accepts; undefined when it is not. */
export function tooLarge(type: InvocationType, payload: Buffer): InvocationAnswer | undefined {
  const { length } = payload
  const message =
    type === 'Event'
      ? `${length} byte payload is too large for the Event invocation type (limit ${eventLimitBytes} bytes)`
      : `Request must be smaller than ${payloadLimitBytes} bytes for the InvokeFunction operation`
  if (length <= (type === 'Event' ? eventLimitBytes : payloadLimitBytes)) return undefined
  return refusal(413, 'RequestEntityTooLargeException', { message, Type: 'User' })
}

/**
 * The answer when as many invocations run as the function reserves or, for one that reserves none, as the account
 * allows.
 */
export function throttled(reservesConcurrency: boolean): InvocationAnswer {
  const Reason = reservesConcurrency
    ? 'ReservedFunctionConcurrentInvocationLimitExceeded'
    : 'ConcurrentInvocationLimitExceeded'
  return refusal(429, 'TooManyRequestsException', { message: 'Rate Exceeded.', Reason, Type: 'User' })
}

function refusal(
  statusCode: InvocationAnswer['statusCode'],
  errorType: NonNullable<InvocationAnswer['errorType']>,
  body: object,
): InvocationAnswer {
  return { statusCode, errorType, payload: Buffer.from(JSON.stringify(body)), logTail: '' }
}
