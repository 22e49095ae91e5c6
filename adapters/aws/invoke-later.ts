import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'

/** Invokes a function with a payload, without waiting for it to run; resolves once Lambda has accepted the event. */
export function invokeLater(functionName: string): (payload: object) => Promise<void> {
  const client = new LambdaClient({})
  return async (payload) => {
    await client.send(
      new InvokeCommand({ FunctionName: functionName, InvocationType: 'Event', Payload: JSON.stringify(payload) }),
    )
  }
}
