import { randomUUID } from 'node:crypto'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import type { Batch } from '../polling/batch.ts'
import { type BatchVerdict, readBatchResponse } from './batch-response.ts'

/** Runs the function on an event. */
export type Invoke = (payload: Buffer) => Promise<InvocationAnswer>

/** The result of the last invocation of a batch. */
export type Invoked = { requestId: string; statusCode: number; functionError?: string }

export type Verdict = (BatchVerdict | { result: 'throttled' }) & { invoked: Invoked }

/** Invokes the function with the batch. Never rejects: a function that cannot be run counts as failed. */
export async function invokeWith(batch: Batch, invoke: Invoke, reportsItemFailures: boolean): Promise<Verdict> {
  try {
    const answer = await invoke(batch.payload)
    const invoked = describe(answer)
    if (answer.errorType === 'TooManyRequestsException') return { result: 'throttled', invoked }
    const reason = failureOf(answer)
    if (reason !== undefined) return { result: 'failed', reason, invoked }
    const verdict: BatchVerdict = reportsItemFailures ? readBatchResponse(answer.payload, batch) : { result: 'done' }
    return { ...verdict, invoked }
  } catch (error) {
    return { result: 'failed', reason: String(error), invoked: { requestId: randomUUID(), statusCode: 500 } }
  }
}

/** The request's id is in the log lines of the platform, when the answer contains them. */
function describe({ statusCode, functionError, logTail }: InvocationAnswer): Invoked {
  const requestId = /RequestId: ([\da-f-]{36})/.exec(logTail)?.[1] ?? randomUUID()
  return { requestId, statusCode, ...(functionError !== undefined && { functionError }) }
}

/** Why an invocation was not a success, as text; undefined when it was one. */
function failureOf({ statusCode, functionError, payload }: InvocationAnswer): string | undefined {
  if (statusCode === 200 && functionError === undefined) return undefined
  const text = payload.toString()
  try {
    const { errorType: type, errorMessage } = JSON.parse(text)
    return errorMessage === undefined ? text : `${type}: ${errorMessage}`
  } catch {
    return text
  }
}
