import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { SigningKey } from '#localstack/stack-key.ts'
import type { FunctionDefinition, NodeRuntime } from '../bundle/function-definition.ts'
import type { RuntimeApi } from './runtime-api.ts'

const runtimeClient = createRequire(import.meta.url).resolve('aws-lambda-ric')
const nativeClient = join(import.meta.dirname, 'native-client.cjs')
const callbackHandler = join(import.meta.dirname, 'callback-handler.handler')

/** Where a function finds AWS. */
export type FunctionEndpoints = {
  /** AWS_ENDPOINT_URL of the functions. */
  endpointUrl: string
  /** Services found elsewhere, as AWS's clients name them in `AWS_ENDPOINT_URL_<service>`. */
  serviceUrls?: Readonly<Record<string, string>>
  /** What AWS's clients sign with; any where nobody looks at it. */
  key?: SigningKey
  /** A process gives memory back when it has had next to no work for so long; ten seconds. */
  restMs?: number
}

const REST_MS = 10_000

/** Where what stands for AWS takes any. */
const ANY_KEY: SigningKey = { accessKeyId: 'local', secretAccessKey: 'local' }

/**
 * The variables AWS sets for a function on its runtime, and where our endpoints are. Nothing of this process's own
 * environment but PATH reaches the function.
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

/** The runtime the function was written for. */
export function runtimeOf({ runtime = 'nodejs24.x' }: FunctionDefinition): NodeRuntime {
  return runtime
}

/** AWS took handlers with a callback out of its client with Node.js 24. */
function takesCallbacks(definition: FunctionDefinition): boolean {
  return runtimeOf(definition) !== 'nodejs24.x'
}

/** What Node is started with: AWS's own shares of the memory size, and AWS's runtime client. */
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
