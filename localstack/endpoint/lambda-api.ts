import { randomUUID } from 'node:crypto'
import { functionNameOf } from '#localstack/lambda-host/bundle/function-definition.ts'
import type { FunctionHost } from '#localstack/lambda-host/function-host.ts'
import type { InvocationAnswer, InvocationType } from '#localstack/lambda-host/invocation/invocation.ts'
import { headerOf, type Request, type Response, type Service } from './exchange.ts'
import { describeFunction, functionConfiguration, listFunctions } from './function-configuration.ts'

type Functions = Pick<FunctionHost, 'invoke' | 'list'>

const functionsPath = /^\/2015-03-31\/functions(?:\/(?<name>[^/]+)(?:\/(?<what>invocations|configuration))?)?\/?$/

/**
 * Function names, partial ARNs and ARNs, with or without a version or alias. Source: Lambda API reference, "Invoke".
 */
const functionNamePattern =
  '(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?'
const functionName = new RegExp(`^${functionNamePattern}$`)

/** Lambda's Invoke, GetFunction, GetFunctionConfiguration and ListFunctions. */
export function makeLambdaApi(functions: Functions): Service {
  return (request) => {
    const match = functionsPath.exec(request.path)
    if (match === null) return undefined
    const { name, what } = match.groups!
    const invokes = what === 'invocations'
    if (request.method !== (invokes ? 'POST' : 'GET')) return undefined
    if (name === undefined) return { status: 200, body: listFunctions(functions.list(), request.query) }
    const qualified = qualify(name, request.query.get('Qualifier'))
    if (typeof qualified !== 'string') return qualified
    if (invokes) return invoke(functions, qualified, request)
    return describe(functions, qualified, what === 'configuration' ? functionConfiguration : describeFunction)
  }
}

/** The name followed by its qualifier, or AWS's error response when one of the two is invalid. */
function qualify(name: string, qualifier: string | null): string | Response {
  if (!functionName.test(name)) {
    const reason = `Member must satisfy regular expression pattern: ${functionNamePattern}`
    const message = `1 validation error detected: Value '${name}' at 'functionName' failed to satisfy constraint: ${reason}`
    return invalid('ValidationException', message)
  }
  const own = functionName.exec(name)?.at(-2)
  if (!qualifier || own === qualifier) return name
  if (own === undefined) return `${name}:${qualifier}`
  const message = 'The derived qualifier from the function name does not match the specified qualifier.'
  return invalid('InvalidParameterValueException', message)
}

async function invoke(functions: Functions, name: string, request: Request): Promise<Response> {
  const type = headerOf(request, 'x-amz-invocation-type') ?? 'RequestResponse'
  if (!isInvocationType(type)) return invalid('InvalidParameterValueException', `Invocation type ${type} is unknown`)
  const payload = request.body.length === 0 ? Buffer.from('{}') : request.body
  const malformed = syntaxErrorOf(payload)
  if (malformed !== undefined) {
    const message = `Could not parse request body into json: Could not parse payload into json: ${malformed}`
    return invalid('InvalidRequestContentException', message)
  }
  const context = headerOf(request, 'x-amz-client-context')
  const clientContext = context === undefined ? undefined : Buffer.from(context, 'base64')
  if (clientContext !== undefined && syntaxErrorOf(clientContext) !== undefined) {
    return invalid('InvalidRequestContentException', 'Client context must be a valid Base64-encoded JSON object.')
  }

  const log = headerOf(request, 'x-amz-log-type') === 'Tail' && type === 'RequestResponse'
  const requestId = randomUUID()
  const more = clientContext === undefined ? {} : { clientContext: clientContext.toString() }
  const answer = await functions.invoke(name, payload, { type, log, requestId, ...more })
  return { status: answer.statusCode, headers: headersOf(answer, requestId, log), body: answer.payload }
}

function headersOf(answer: InvocationAnswer, requestId: string, log: boolean): Record<string, string> {
  return {
    // This is the id in the function's log, not the id of the HTTP request.
    'x-amzn-RequestId': requestId,
    ...(answer.errorType && { 'x-amzn-ErrorType': answer.errorType }),
    ...(answer.statusCode === 200 && { 'X-Amz-Executed-Version': '$LATEST' }),
    ...(answer.functionError && { 'X-Amz-Function-Error': answer.functionError }),
    ...(log && answer.statusCode === 200 && { 'X-Amz-Log-Result': Buffer.from(answer.logTail).toString('base64') }),
  }
}

/** Describes a function, which a dry run finds by the same rules as an invocation would. */
async function describe(
  functions: Functions,
  name: string,
  answer: typeof describeFunction | typeof functionConfiguration,
): Promise<Response> {
  const { statusCode, errorType, payload } = await functions.invoke(name, Buffer.from('{}'), { type: 'DryRun' })
  if (errorType !== undefined) return { status: statusCode, headers: { 'x-amzn-ErrorType': errorType }, body: payload }
  const found = functions.list().find(({ definition }) => functionNameOf(name) === definition.name)
  return { status: 200, body: answer(found!) }
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
