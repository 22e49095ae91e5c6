import { pathToFileURL } from 'node:url'
import { runtimeOf } from '#localstack/lambda-host/environment/function-variables.ts'
import type { FunctionActivity } from '#localstack/lambda-host/function-host.ts'

/** The answer of GetFunction. The location of the code is the bundle's path on this machine. */
export function describeFunction(activity: FunctionActivity) {
  const { reservedConcurrency, codeDirectory } = activity.definition
  return {
    Configuration: functionConfiguration(activity),
    Code: { RepositoryType: 'Local', Location: pathToFileURL(codeDirectory).href },
    ...(reservedConcurrency !== undefined && {
      Concurrency: { ReservedConcurrentExecutions: reservedConcurrency },
    }),
  }
}

/**
 * The answer of GetFunctionConfiguration, and an entry of ListFunctions. Fields without a meaning here are left out:
 * role, hash, size.
 */
export function functionConfiguration({ definition, since }: FunctionActivity) {
  return {
    FunctionName: definition.name,
    FunctionArn: definition.arn,
    Runtime: runtimeOf(definition),
    Handler: definition.handler,
    Timeout: definition.timeoutSeconds,
    MemorySize: definition.memoryMb,
    LastModified: since.toISOString().replace('Z', '+0000'),
    Version: '$LATEST',
    Environment: { Variables: definition.environment },
    PackageType: 'Zip',
    Architectures: [process.arch === 'arm64' ? 'arm64' : 'x86_64'],
    State: 'Active',
    LastUpdateStatus: 'Successful',
    LoggingConfig: { LogFormat: 'Text', LogGroup: `/aws/lambda/${definition.name}` },
  }
}

/**
 * A page of ListFunctions. `Marker` is the `NextMarker` of the page before.
 * Source: Lambda API reference, "ListFunctions": 50 functions at most.
 */
export function listFunctions(functions: FunctionActivity[], query: URLSearchParams) {
  const first = Number(query.get('Marker') ?? 0)
  const next = first + Math.min(50, Number(query.get('MaxItems') ?? 50))
  return {
    Functions: functions.slice(first, next).map(functionConfiguration),
    ...(next < functions.length && { NextMarker: String(next) }),
  }
}
