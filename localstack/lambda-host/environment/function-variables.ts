import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { SigningKey } from '#localstack/stack-key.ts'
import type { FunctionDefinition, NodeRuntime } from '../bundle/function-definition.ts'
import type { RuntimeApi } from './runtime-api.ts'

const runtimeClient = createRequire(import.meta.url).resolve('aws-lambda-ric')
const nativeClient = join(import.meta.dirname, 'native-client.cjs')
const callbackHandler = join(import.meta.dirname, 'callback-handler.handler')

/** The endpoints and the key with which a function calls AWS's services. */
export type FunctionEndpoints = {
  /** AWS_ENDPOINT_URL of the functions. */
  endpointUrl: string
  /** URLs of services with a server of their own, by the names of AWS's clients in `AWS_ENDPOINT_URL_<service>`. */
  serviceUrls?: Readonly<Record<string, string>>
  /** The key with which AWS's clients sign. Any key will do where signatures are not checked. */
  key?: SigningKey
  /** How long, in ms, a process has to be nearly idle before it gives memory back; ten seconds if absent. */
  restMs?: number
}

const REST_MS = 10_000

/** A key for servers that accept any. */
const ANY_KEY: SigningKey = { accessKeyId: 'local', secretAccessKey: 'local' }

/**
 * The variables that AWS sets for a function on its runtime, with our endpoints. Of this process's own environment only
 * PATH reaches the function.
 */
export function functionVariables(
  definition: FunctionDefinition,
  runtimeApi: Pick<RuntimeApi, 'address' | 'token'>,
  { endpointUrl, serviceUrls = {}, key = ANY_KEY, restMs = REST_MS }: FunctionEndpoints,
): Record<string, string> {
  const region = definition.arn.split(':')[3] || 'us-east-1'
  return {
    ...definition.environment,
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    AWS_LAMBDA_RUNTIME_API: runtimeApi.address,
    TIDEMARK_RUNTIME_TOKEN: runtimeApi.token,
    TIDEMARK_REST_MS: String(restMs),
    LAMBDA_TASK_ROOT: definition.codeDirectory,
    _HANDLER: takesCallbacks(definition) ? callbackHandler : definition.handler,
    AWS_EXECUTION_ENV: `AWS_Lambda_${runtimeOf(definition)}`,
    AWS_LAMBDA_FUNCTION_NAME: definition.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(definition.memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${definition.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'local',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    AWS_ENDPOINT_URL: endpointUrl,
    ...Object.fromEntries(Object.entries(serviceUrls).map(([service, url]) => [`AWS_ENDPOINT_URL_${service}`, url])),
  }
}

/** The runtime for which the function was written. */
export function runtimeOf({ runtime = 'nodejs24.x' }: FunctionDefinition): NodeRuntime {
  return runtime
}

/** AWS's client for Node.js 24 does not support handlers with a callback. */
function takesCallbacks(definition: FunctionDefinition): boolean {
  return runtimeOf(definition) !== 'nodejs24.x'
}

/** Arguments for Node: AWS's own shares of the memory size, and AWS's runtime client. */
export function functionArguments(definition: FunctionDefinition): string[] {
  return [
    '--expose-gc',
    `--max-semi-space-size=${Math.max(1, Math.floor(definition.memoryMb * 0.05))}`,
    `--max-old-space-size=${Math.floor(definition.memoryMb * 0.9)}`,
    '--require',
    nativeClient,
    runtimeClient,
    definition.handler,
  ]
}
