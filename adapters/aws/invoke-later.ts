import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'

/** Invokes a function without waiting for it to run; resolves once Lambda has accepted the event. */
export function invokeLater(functionName: string): () => Promise<void> {
  const client = new LambdaClient({})
  return async () => {
    await client.send(new InvokeCommand({ FunctionName: functionName, InvocationType: 'Event', Payload: '{}' }))
  }
}
