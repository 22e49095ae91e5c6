/** RequestResponse waits for the answer, Event is queued and retried, DryRun only looks the function up. */
export type InvocationType = 'RequestResponse' | 'Event' | 'DryRun'

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
  errorType?: 'ResourceNotFoundException' | 'RequestTooLargeException' | 'TooManyRequestsException'
}

/** Largest request and response of a synchronous invocation; AWS allows a response 100 bytes of frame on top. */
export const payloadLimitBytes = 6 * 1024 * 1024
export const responseLimitBytes = payloadLimitBytes + 100

/** Largest event of an asynchronous invocation. */
export const eventLimitBytes = 1024 * 1024

/** A function error as AWS words it: what the platform found, not what the handler threw. */
export function platformError(errorType: string, errorMessage: string): Pick<Outcome, 'payload' | 'functionError'> {
  return { payload: Buffer.from(JSON.stringify({ errorType, errorMessage })), functionError: 'Unhandled' }
}

/** No such function. */
export function functionNotFound(nameOrArn: string): InvocationAnswer {
  const message = `Function not found: ${nameOrArn}`
  return refusal(404, 'ResourceNotFoundException', { Message: message, Type: 'User' })
}

/** The event is larger than the Invoke API takes. */
export function requestTooLarge(limitBytes: number): InvocationAnswer {
  const message = `Request must be smaller than ${limitBytes} bytes for the InvokeFunction operation`
  return refusal(413, 'RequestTooLargeException', { message, Type: 'User' })
}

/** As many invocations run as the function's concurrency allows. */
export function throttled(): InvocationAnswer {
  const Reason = 'ReservedFunctionConcurrentInvocationLimitExceeded'
  return refusal(429, 'TooManyRequestsException', { message: 'Rate Exceeded.', Reason, Type: 'User' })
}

function refusal(
  statusCode: InvocationAnswer['statusCode'],
  errorType: NonNullable<InvocationAnswer['errorType']>,
  body: object,
): InvocationAnswer {
  return { statusCode, errorType, payload: Buffer.from(JSON.stringify(body)), logTail: '' }
}
