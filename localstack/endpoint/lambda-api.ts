import type { FunctionActivity, FunctionHost } from '#localstack/lambda-host/function-host.ts'
import { functionNotFound, type InvocationType } from '#localstack/lambda-host/invocation.ts'
import { headerOf, type Request, type Response, type Service } from './exchange.ts'

const functionsPath = /^\/2015-03-31\/functions(?:\/(?<name>[^/]+)(?<invocations>\/invocations)?)?\/?$/

/** Lambda's Invoke, GetFunction and ListFunctions. */
export function makeLambdaApi(functions: Pick<FunctionHost, 'invoke' | 'list'>): Service {
  return (request) => {
    const match = functionsPath.exec(request.path)
    if (match === null) return undefined
    const { name, invocations } = match.groups!
    if (request.method === 'POST' && name && invocations) return invoke(functions, name, request)
    if (request.method !== 'GET' || invocations) return undefined
    if (!name) return { status: 200, body: { Functions: functions.list().map(configurationOf) } }
    return getFunction(functions, name)
  }
}

async function invoke(functions: Pick<FunctionHost, 'invoke'>, name: string, request: Request): Promise<Response> {
  const type = headerOf(request, 'x-amz-invocation-type') ?? 'RequestResponse'
  if (!isInvocationType(type)) return invalid('InvalidParameterValueException', `Invocation type ${type} is unknown`)
  const qualifier = request.query.get('Qualifier')
  const payload = request.body.length === 0 ? Buffer.from('{}') : request.body
  const malformed = syntaxErrorOf(payload)
  if (malformed !== undefined) {
    const message = `Could not parse request body into json: ${malformed}`
    return invalid('InvalidRequestContentException', message)
  }

  const log = headerOf(request, 'x-amz-log-type') === 'Tail'
  const answer = await functions.invoke(qualifier ? `${name}:${qualifier}` : name, payload, { type, log })
  return {
    status: answer.statusCode,
    headers: {
      'Content-Type': 'application/json',
      ...(answer.errorType ? { 'x-amzn-ErrorType': answer.errorType } : { 'X-Amz-Executed-Version': '$LATEST' }),
      ...(answer.functionError && { 'X-Amz-Function-Error': answer.functionError }),
      ...(log && { 'X-Amz-Log-Result': Buffer.from(answer.logTail).toString('base64') }),
    },
    body: answer.payload,
  }
}

async function getFunction(functions: Pick<FunctionHost, 'invoke' | 'list'>, name: string): Promise<Response> {
  const found = functions.list().find(({ definition }) => name === definition.name || name === definition.arn)
  if (found === undefined) {
    const { errorType, payload } = functionNotFound(name)
    return { status: 404, headers: { 'x-amzn-ErrorType': errorType! }, body: payload }
  }
  const { reservedConcurrency } = found.definition
  const concurrency = { Concurrency: { ReservedConcurrentExecutions: reservedConcurrency } }
  const body = { Configuration: configurationOf(found), ...(reservedConcurrency !== undefined && concurrency) }
  return { status: 200, body }
}

function configurationOf({ definition }: FunctionActivity) {
  return {
    FunctionName: definition.name,
    FunctionArn: definition.arn,
    Runtime: 'nodejs24.x',
    Handler: definition.handler,
    Timeout: definition.timeoutSeconds,
    MemorySize: definition.memoryMb,
    Version: '$LATEST',
    PackageType: 'Zip',
    State: 'Active',
  }
}

function isInvocationType(type: string): type is InvocationType {
  return type === 'RequestResponse' || type === 'Event' || type === 'DryRun'
}

function syntaxErrorOf(payload: Buffer): string | undefined {
  try {
    JSON.parse(payload.toString())
    return undefined
  } catch (error) {
    return (error as SyntaxError).message
  }
}

function invalid(errorType: string, message: string): Response {
  return { status: 400, headers: { 'x-amzn-ErrorType': errorType }, body: { Type: 'User', message } }
}
