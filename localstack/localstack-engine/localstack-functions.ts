import {
  InvokeCommand,
  type InvokeCommandOutput,
  LambdaClient,
  LambdaServiceException,
  type LogType,
} from '@aws-sdk/client-lambda'
import type { FunctionHost } from '#localstack/lambda-host/function-host.ts'
import type { InvocationAnswer, InvocationOptions } from '#localstack/lambda-host/invocation/invocation.ts'
import type { FunctionVersions } from './function-versions.ts'

/** LocalStack accepts any credentials. These belong to its account 000000000000. */
export const localCredentials = { accessKeyId: 'local', secretAccessKey: 'local' }

const refusals = new Set(['RequestEntityTooLargeException', 'ResourceNotFoundException', 'TooManyRequestsException'])

/** A client of LocalStack's Lambda. It does not retry, because its callers decide that. */
export function makeLambdaClient(url: string, region: string): LambdaClient {
  return new LambdaClient({ endpoint: url, region, credentials: localCredentials, maxAttempts: 1 })
}

/** Invokes through LocalStack, which has the functions. Their processes are those of `versions`. */
export function makeLocalStackFunctions(lambda: LambdaClient, versions: FunctionVersions): FunctionHost {
  return {
    add: ({ name }) => {
      throw new Error(`function ${name}: LocalStack creates the functions`)
    },
    configureEvents: (name) => {
      throw new Error(`function ${name}: LocalStack handles asynchronous invocations`)
    },
    configure: (name) => {
      throw new Error(`function ${name}: LocalStack has the functions, and changes them`)
    },
    invoke: (nameOrArn, payload, options = {}) => invoke(lambda, nameOrArn, payload, options),
    list: versions.list,
    async stop() {
      lambda.destroy()
      await versions.stop()
    },
  }
}

async function invoke(
  lambda: LambdaClient,
  nameOrArn: string,
  payload: Buffer,
  { type = 'RequestResponse', log = false, clientContext }: InvocationOptions,
): Promise<InvocationAnswer> {
  const logType: LogType = log && type === 'RequestResponse' ? 'Tail' : 'None'
  const invocation = new InvokeCommand({
    FunctionName: nameOrArn,
    InvocationType: type,
    LogType: logType,
    Payload: payload,
    ...(clientContext !== undefined && { ClientContext: Buffer.from(clientContext).toString('base64') }),
  })
  try {
    return answerOf(await lambda.send(invocation))
  } catch (error) {
    if (!(error instanceof LambdaServiceException) || !refusals.has(error.name)) throw error
    return {
      statusCode: error.$metadata.httpStatusCode as InvocationAnswer['statusCode'],
      errorType: error.name as NonNullable<InvocationAnswer['errorType']>,
      payload: Buffer.from(JSON.stringify({ Type: 'User', message: error.message })),
      logTail: '',
    }
  }
}

const answerOf = ({ StatusCode, Payload, FunctionError, LogResult }: InvokeCommandOutput): InvocationAnswer => ({
  statusCode: StatusCode as InvocationAnswer['statusCode'],
  payload: Buffer.from(Payload ?? []),
  ...(FunctionError !== undefined && { functionError: 'Unhandled' }),
  logTail: Buffer.from(LogResult ?? '', 'base64').toString(),
})
