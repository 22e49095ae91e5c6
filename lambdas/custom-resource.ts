import type { CloudFormationCustomResourceEvent, CloudFormationCustomResourceResponse, Context } from 'aws-lambda'

/** Result of the work behind a custom resource; `Fn::GetAtt` reads `data`. */
export type CustomResourceResult = { data?: Record<string, string | number | boolean> }

/** CloudFormation refuses an answer of more than 4096 bytes, so the reason is cut at this length. */
const LONGEST_REASON = 2_000

/** Time that is reserved for the answer before Lambda ends the function. */
const ANSWER_MS = 5_000

/**
 * Does the work of a CloudFormation custom resource, and PUTs the answer to the event's ResponseURL. If the work fails,
 * or does not end in the function's time, the answer is FAILED with a message, so that no stack waits for an hour. The
 * physical id is the logical one for the whole life of the resource, so an update never replaces it. Throws only when
 * the answer could not be delivered.
 */
export async function answerCustomResource<Event extends CloudFormationCustomResourceEvent>(
  event: Event,
  context: Pick<Context, 'getRemainingTimeInMillis'>,
  work: (event: Event) => Promise<CustomResourceResult | undefined>,
): Promise<void> {
  const identity = {
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    PhysicalResourceId: 'PhysicalResourceId' in event ? event.PhysicalResourceId : event.LogicalResourceId,
  }
  await put(event.ResponseURL, { ...identity, ...(await outcome(event, context, work)) })
}

type Outcome = { Status: 'SUCCESS' | 'FAILED'; Reason: string; Data: Record<string, unknown> }

async function outcome<Event extends CloudFormationCustomResourceEvent>(
  event: Event,
  context: Pick<Context, 'getRemainingTimeInMillis'>,
  work: (event: Event) => Promise<CustomResourceResult | undefined>,
): Promise<Outcome> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () =>
      late.reject(new Error(`${event.RequestType} of ${event.LogicalResourceId} did not end within the time limit`)),
    context.getRemainingTimeInMillis() - ANSWER_MS,
  )
  try {
    const result = await Promise.race([work(event), late.promise])
    return { Status: 'SUCCESS', Reason: '', Data: result?.data ?? {} }
  } catch (error) {
    return { Status: 'FAILED', Reason: reason(error), Data: {} }
  } finally {
    clearTimeout(timer)
  }
}

/** The messages of the error and of its causes, without the stack: a user who deploys sees them. */
function reason(error: unknown): string {
  const messages: string[] = []
  for (let current = error; current !== undefined; current = current instanceof Error ? current.cause : undefined) {
    messages.push(current instanceof Error ? current.message : String(current))
  }
  return messages.join(': ').slice(0, LONGEST_REASON)
}

async function put(url: string, answer: CloudFormationCustomResourceResponse): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const failure = await tryPut(url, JSON.stringify(answer))
    if (failure === undefined) return
    if (attempt === 4) {
      throw new Error(`the answer of ${answer.LogicalResourceId} was not accepted by CloudFormation`, {
        cause: failure,
      })
    }
    await new Promise((resume) => setTimeout(resume, 100 * 2 ** attempt))
  }
}

async function tryPut(url: string, body: string): Promise<Error | undefined> {
  try {
    // The presigned URL is signed for an empty content type; fetch would add its own.
    const response = await fetch(url, { method: 'PUT', body, headers: { 'content-type': '' } })
    return response.ok ? undefined : new Error(`${response.status} ${response.statusText}`)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
