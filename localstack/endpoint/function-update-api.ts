import { functionNameOf } from '#localstack/lambda-host/bundle/function-definition.ts'
import type { FunctionChanges, FunctionHost } from '#localstack/lambda-host/function-host.ts'
import type { SigningKey } from '#localstack/stack-key.ts'
import type { Response, Service } from './exchange.ts'
import { functionConfiguration } from './function-configuration.ts'
import { refuseUnsigned, restError } from './signed-calls.ts'

const path = /^\/2015-03-31\/functions\/([^/]+)\/configuration\/?$/
const served = ['MemorySize', 'Timeout', 'Environment', 'RevisionId', 'FunctionName']

/** Source: Lambda developer guide, "Defined runtime environment variables": reserved variables cannot be set. */
const reserved =
  /^(_HANDLER|_X_AMZN_TRACE_ID|AWS_(REGION|DEFAULT_REGION|EXECUTION_ENV|ACCESS_KEY(_ID)?|SECRET_ACCESS_KEY|SESSION_TOKEN)|AWS_LAMBDA_.*|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR)$/

/**
 * Lambda's UpdateFunctionConfiguration of memory, timeout and environment. The function's next process has the changes.
 */
export function makeFunctionUpdateApi(
  functions: Pick<FunctionHost, 'list' | 'configure'>,
  key: SigningKey | undefined,
): Service {
  return async (request) => {
    const name = path.exec(request.path)?.[1]
    if (request.method !== 'PUT' || name === undefined) return undefined
    const refusal = await refuseUnsigned(key, request)
    if (refusal !== undefined) return refusal
    const find = () => functions.list().find(({ definition }) => definition.name === functionNameOf(name))
    const found = find()
    if (found === undefined) return restError(404, 'ResourceNotFoundException', `Function not found: ${name}`)
    const changes = readChanges(JSON.parse(request.body.toString() || '{}'))
    if ('status' in changes) return changes
    functions.configure(found.definition.name, changes)
    return { status: 200, body: functionConfiguration(find()!) }
  }
}

/** The changes of a request, or the error response for the first one that AWS or this machine does not accept. */
function readChanges(asked: Readonly<Record<string, unknown>>): FunctionChanges | Response {
  const other = Object.keys(asked).find((each) => !served.includes(each))
  if (other !== undefined) {
    return restError(
      501,
      'NotImplemented',
      `UpdateFunctionConfiguration: ${other} is not served locally, only MemorySize, Timeout and Environment`,
    )
  }
  const { MemorySize: memoryMb, Timeout: timeoutSeconds } = asked
  const environment = (asked['Environment'] as { Variables?: Record<string, string> } | undefined)?.Variables
  return (
    refuseNumber('memorySize', memoryMb, 128, 10_240) ??
    refuseNumber('timeout', timeoutSeconds, 1, 900) ??
    refuseVariables(environment ?? {}) ?? {
      ...(memoryMb !== undefined && { memoryMb: memoryMb as number }),
      ...(timeoutSeconds !== undefined && { timeoutSeconds: timeoutSeconds as number }),
      ...(environment !== undefined && { environment }),
    }
  )
}

function refuseNumber(member: string, value: unknown, least: number, most: number): Response | undefined {
  if (value === undefined || (Number.isInteger(value) && Number(value) >= least && Number(value) <= most))
    return undefined
  const bound = Number(value) < least ? `greater than or equal to ${least}` : `less than or equal to ${most}`
  const failed = `Value '${value}' at '${member}' failed to satisfy constraint: Member must have value ${bound}`
  return restError(400, 'ValidationException', `1 validation error detected: ${failed}`)
}

function refuseVariables(variables: Record<string, string>): Response | undefined {
  const names = Object.keys(variables)
  const kept = names.filter((name) => reserved.test(name))
  if (kept.length > 0) {
    const message =
      'Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request:'
    return restError(400, 'InvalidParameterValueException', `${message} ${kept.join(', ')}`)
  }
  const malformed = names.find((name) => !/^[a-zA-Z][a-zA-Z0-9_]+$/.test(name) || typeof variables[name] !== 'string')
  if (malformed === undefined) return undefined
  const failed = `Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]`
  return restError(400, 'ValidationException', `1 validation error detected: ${failed}: ${malformed}`)
}
