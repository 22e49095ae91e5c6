import * as v from 'valibot'
import { nodeRuntimes } from '#localstack/lambda-host/bundle/function-definition.ts'
import { arn, CONNECT_SECRET, type LocalAccount } from '../local-account.ts'
import { localOverrides } from '../local-overrides.ts'
import { makeStandIn, number } from '../stand-in.ts'

/**
 * The function's bundle from the assembly. AWS's runtime client runs it, with the template's variables, timeout, memory
 * and concurrency.
 */
export const lambdaFunction = makeStandIn({
  properties: {
    FunctionName: v.string(),
    Handler: v.string(),
    Runtime: v.picklist(nodeRuntimes),
    Code: v.object({ S3Key: v.string() }),
    Environment: v.optional(v.object({ Variables: v.optional(v.record(v.string(), v.string()), {}) }), {}),
    Timeout: v.optional(number, 3),
    MemorySize: v.optional(number, 128),
    ReservedConcurrentExecutions: v.optional(number),
  },
  ignores: [
    'Architectures',
    'Code.S3Bucket',
    'Description',
    'LoggingConfig',
    'Role',
    'Tags',
    'TracingConfig',
    'VpcConfig',
  ],
  attributes: ['Arn'],
  bringUp: (_id, properties, account) => {
    const { stack, functions } = account
    const { FunctionName: name, ReservedConcurrentExecutions: reservedConcurrency } = properties
    const ref = arn(stack, 'lambda', `function:${name}`)
    functions.add({
      name,
      arn: ref,
      handler: properties.Handler,
      runtime: properties.Runtime,
      codeDirectory: stack.assetDirectory(properties.Code.S3Key),
      environment: localVariables(properties.Environment.Variables, account),
      timeoutSeconds: properties.Timeout,
      memoryMb: properties.MemorySize,
      ...(reservedConcurrency !== undefined && { reservedConcurrency }),
    })
    return { ref: name, attributes: { Arn: ref } }
  },
})

/** The variables that a function gets on this machine. */
export function localVariables(
  variables: Record<string, string>,
  { settings, addresses }: Pick<LocalAccount, 'settings' | 'addresses'>,
): Record<string, string> {
  return {
    ...onLoopback(variables, addresses),
    // The function gets the secret's name, so that its variables do not show the password.
    ...(variables['CONNECT_URL'] && { CONNECT_SECRET_ARN: CONNECT_SECRET }),
    ...localOverrides['AWS::Lambda::Function'](settings),
  }
}

/** The variables, with each network name replaced by its address on this machine. */
export function onLoopback(variables: Record<string, string>, addresses: Map<string, string>): Record<string, string> {
  const replace = (value: string): string =>
    [...addresses].reduce((text, [name, address]) => text.replaceAll(name, address), value)
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, replace(value)]))
}
