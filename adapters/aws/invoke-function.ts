import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'

/** Invokes a function and waits for its answer. Throws an Error with the function's own error if it failed. */
export function invokeFunction<T>(
  functionName: string,
  client: Pick<LambdaClient, 'send'> = new LambdaClient({}),
): (payload: object) => Promise<T> {
  return async (payload) => {
    const answer = await client.send(
      new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(payload) }),
    )
    const text = answer.Payload?.transformToString() ?? 'null'
    if (answer.FunctionError === undefined) return JSON.parse(text) as T
    throw new Error(`${functionName} failed: ${messageOf(text)}`)
  }
}

function messageOf(text: string): string {
  try {
    return String(JSON.parse(text).errorMessage)
  } catch {
    return text
  }
}
