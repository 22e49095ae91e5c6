/** RequestResponse waits for the answer, Event is queued and retried, DryRun only looks the function up. */
export type InvocationType = 'RequestResponse' | 'Event' | 'DryRun'

/** One event on its way to a function, under the id its log and every retry has. */
export type InvocationEvent = {
  requestId: string
  /** JSON. */
  payload: Buffer
  /** JSON, what the handler finds in `context.clientContext`. */
  clientContext?: string
}

/** What a function made of one event: its response, or the error AWS would report. */
export type Outcome = {
  payload: Buffer
  functionError?: 'Unhandled'
  /** Last 4 KiB of what it logged meanwhile, with the platform's START, END and REPORT lines. */
  logTail: string
}

/** An answer as the Invoke API gives it. `errorType` is set where the invocation was refused (404, 413, 429). */
export type InvocationAnswer = Outcome & {
  statusCode: 200 | 202 | 204 | 404 | 413 | 429
  errorType?: 'ResourceNotFoundException' | 'RequestEntityTooLargeException' | 'TooManyRequestsException'
}

export type InvocationOptions = {
  type?: InvocationType
  /** Fills `logTail`. */
  log?: boolean
  /** UUID; one is made where it is not given. */
  requestId?: string
  /** JSON, what the handler finds in `context.clientContext`; an Event comes without. */
  clientContext?: string
}

/**
 * Runs a function, by name or ARN. Every outcome AWS has a status for is an answer; rejects when no process can be started.
 * The payload is handed on unread, so it must be JSON.
 */
export type InvokeFunction = (
  nameOrArn: string,
  payload: Buffer,
  options?: InvocationOptions,
) => Promise<InvocationAnswer>

/** Largest request and response of a synchronous invocation; AWS allows a response 100 bytes of frame on top. */
export const payloadLimitBytes = 6 * 1024 * 1024
export const responseLimitBytes = payloadLimitBytes + 100

/** Largest event of an asynchronous invocation, since October 2025. */
export const eventLimitBytes = 1024 * 1024

/** A function error as AWS words it: what the platform found, not what the handler threw. */
export function platformError(errorType: string, errorMessage: string): Pick<Outcome, 'payload' | 'functionError'> {
  return { payload: Buffer.from(JSON.stringify({ errorType, errorMessage })), functionError: 'Unhandled' }
}

/** The `errorType` of an error's JSON; `Runtime.Unknown` where there is none. */
export function errorTypeOf(payload: Buffer): string {
  try {
    return JSON.parse(payload.toString()).errorType ?? 'Runtime.Unknown'
  } catch {
    return 'Runtime.Unknown'
  }
}

/** The response, or the error that stands for one that is too large. */
export function withinResponseLimit(payload: Buffer): Pick<Outcome, 'payload' | 'functionError'> {
  if (payload.length <= responseLimitBytes) return { payload }
  const message = `Response payload size exceeded maximum allowed payload size (${responseLimitBytes} bytes).`
  return platformError('Function.ResponseSizeTooLarge', message)
}

/** No such function, version or alias. */
export function functionNotFound(arn: string): InvocationAnswer {
  return refusal(404, 'ResourceNotFoundException', { Message: `Function not found: ${arn}`, Type: 'User' })
}

/** The event is larger than the Invoke API takes; undefined when it is not. */
export function tooLarge(type: InvocationType, payload: Buffer): InvocationAnswer | undefined {
  const { length } = payload
  const message =
    type === 'Event'
      ? `${length} byte payload is too large for the Event invocation type (limit ${eventLimitBytes} bytes)`
      : `Request must be smaller than ${payloadLimitBytes} bytes for the InvokeFunction operation`
  if (length <= (type === 'Event' ? eventLimitBytes : payloadLimitBytes)) return undefined
  return refusal(413, 'RequestEntityTooLargeException', { message, Type: 'User' })
}

/** As many invocations run as the function reserves, or as the account allows one that reserves none. */
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
