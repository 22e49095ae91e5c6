import { InvokeCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda'

export type FunctionAnswer = {
  /** The full name of the function. */
  functionName: string
  /** 200, or 202 if the function runs later. */
  statusCode: number
  functionError?: string
  /** The answer as the function wrote it; empty if it runs later. */
  payload: string
  /** The end of the function's log. */
  log: string
}

/**
 * Calls a function by its name or the end of it. Throws an Error of one line if the event is not JSON, if there is no
 * such function (with the names of all functions), if it is throttled, or if the stack is gone.
 */
export async function callFunction(
  endpoint: string,
  { name, event, async }: { name: string; event: string; async: boolean },
): Promise<FunctionAnswer> {
  refuseMalformed(event)
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  const lambda = new LambdaClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 })
  try {
    const functionName = await findFunction(lambda, name)
    const answer = await lambda.send(
      new InvokeCommand({
        FunctionName: functionName,
        Payload: Buffer.from(event),
        ...(async ? { InvocationType: 'Event' } : { LogType: 'Tail' }),
      }),
    )
    return {
      functionName,
      statusCode: answer.StatusCode!,
      ...(answer.FunctionError !== undefined && { functionError: answer.FunctionError }),
      payload: answer.Payload?.transformToString() ?? '',
      log: Buffer.from(answer.LogResult ?? '', 'base64').toString(),
    }
  } finally {
    lambda.destroy()
  }
}

async function findFunction(lambda: LambdaClient, name: string): Promise<string> {
  const { Functions = [] } = await lambda.send(new ListFunctionsCommand())
  const names = Functions.map(({ FunctionName }) => FunctionName!)
  const found = names.find((each) => each === name) ?? names.find((each) => each.endsWith(`-${name}`))
  if (found !== undefined) return found
  throw new Error(`There is no function ${name}. The functions are: ${names.join(', ')}`)
}

function refuseMalformed(event: string): void {
  try {
    JSON.parse(event)
  } catch (cause) {
    throw new Error(`The event is not JSON: ${(cause as SyntaxError).message}`, { cause })
  }
}
