import {
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  paginateListFunctions,
} from '@aws-sdk/client-lambda'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FunctionHost, makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import { type FunctionBundles, makeFunctionBundles } from '#test-support/functions/function-bundle.ts'
import { type Endpoint, startEndpoint } from './endpoint.ts'

// Source, unless a test names another: AWS Lambda API reference, "Invoke".

const arn = 'arn:aws:lambda:eu-central-1:000000000000:function:echo'

let bundles: FunctionBundles
let host: FunctionHost
let endpoint: Endpoint
let lambda: LambdaClient

beforeAll(async () => {
  bundles = makeFunctionBundles()
  host = makeFunctionHost({ endpointUrl: '', onLog: () => undefined })
  const source = `export const handler = async (event, { clientContext }) => {
    console.log('handling'); if (event.fail) throw new RangeError('too far'); if (event.log) console.log('x'.repeat(event.log))
    return clientContext ?? event }`
  host.add(await bundles.write('echo', source, { environment: { COLOUR: 'blue' } }))
  host.add(await bundles.write('none', source, { reservedConcurrency: 0 }))
  endpoint = await startEndpoint({
    port: 0,
    functions: host,
    secrets: () => undefined,
    bootstrapBrokers: () => undefined,
    pages: {},
  })
  lambda = new LambdaClient({
    endpoint: endpoint.url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  })
})

afterAll(async () => {
  lambda.destroy()
  await endpoint.stop()
  await host.stop()
  await bundles.remove()
})

const payload = (value: unknown) => Buffer.from(JSON.stringify(value))

test.each(['echo', 'echo:$LATEST', '000000000000:function:echo', arn, `${arn}:$LATEST`])(
  'the SDK invokes %s and gets its answer and its log',
  async (FunctionName) => {
    const answer = await lambda.send(new InvokeCommand({ FunctionName, Payload: payload({ a: 1 }), LogType: 'Tail' }))

    expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' })
    expect(answer.FunctionError).toBeUndefined()
    expect(answer.Payload!.transformToString()).toBe('{"a":1}')
    const log = Buffer.from(answer.LogResult!, 'base64').toString()
    expect(log).toContain('handling')
    expect(log).toMatch(new RegExp(`^START RequestId: ${answer.$metadata.requestId} Version: \\$LATEST\n`))
  },
)

test('LogResult is the last 4 KB, and is there only when it is asked for', async () => {
  const input = { FunctionName: 'echo', Payload: payload({ log: 10_000 }) }

  const { LogResult } = await lambda.send(new InvokeCommand({ ...input, LogType: 'Tail' }))
  const silent = await lambda.send(new InvokeCommand(input))

  expect(Buffer.from(LogResult!, 'base64')).toHaveLength(4096)
  expect(Buffer.from(LogResult!, 'base64').toString()).toMatch(/x\nEND RequestId: .*\nREPORT RequestId: .*\n$/)
  expect(silent.LogResult).toBeUndefined()
})

test('the client context reaches the handler', async () => {
  const ClientContext = payload({ custom: { a: 1 } }).toString('base64')

  const answer = await lambda.send(new InvokeCommand({ FunctionName: 'echo', ClientContext }))

  expect(answer.Payload!.transformToString()).toBe('{"custom":{"a":1}}')
})

test('a function error is an answer with its name', async () => {
  const answer = await lambda.send(new InvokeCommand({ FunctionName: 'echo', Payload: payload({ fail: true }) }))

  expect(answer).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' })
  expect(JSON.parse(answer.Payload!.transformToString())).toMatchObject({
    errorType: 'RangeError',
    errorMessage: 'too far',
  })
})

test('Event and DryRun are answered without a payload and a version', async () => {
  const event = await lambda.send(new InvokeCommand({ FunctionName: 'echo', InvocationType: 'Event' }))
  const dryRun = await lambda.send(new InvokeCommand({ FunctionName: 'echo', InvocationType: 'DryRun' }))

  expect([event.StatusCode, dryRun.StatusCode]).toEqual([202, 204])
  expect([event.ExecutedVersion, dryRun.ExecutedVersion]).toEqual([undefined, undefined])
})

const notFound = 'Function not found: arn:aws:lambda:eu-central-1:000000000000:function'

test.each([
  ['an unknown name', { FunctionName: 'absent' }, 404, 'ResourceNotFoundException', `${notFound}:absent`],
  ['another version', { FunctionName: 'echo', Qualifier: '7' }, 404, 'ResourceNotFoundException', `${notFound}:echo:7`],
  ['an alias', { FunctionName: 'echo:live' }, 404, 'ResourceNotFoundException', `${notFound}:echo:live`],
  [
    'two qualifiers',
    { FunctionName: 'echo:8', Qualifier: '7' },
    400,
    'InvalidParameterValueException',
    'The derived qualifier from the function name does not match the specified qualifier.',
  ],
  [
    'what is no name',
    { FunctionName: 'e*o' },
    400,
    'ValidationException',
    "Value 'e*o' at 'functionName' failed to satisfy constraint",
  ],
  ['a function that reserves nothing', { FunctionName: 'none' }, 429, 'TooManyRequestsException', 'Rate Exceeded.'],
  [
    'what is not JSON',
    { FunctionName: 'echo', Payload: Buffer.from('{') },
    400,
    'InvalidRequestContentException',
    'Could not parse request body into json: Could not parse payload into json: ',
  ],
  [
    'a client context that is not JSON',
    { FunctionName: 'echo', ClientContext: Buffer.from('{').toString('base64') },
    400,
    'InvalidRequestContentException',
    'Client context must be a valid Base64-encoded JSON object.',
  ],
  [
    'more than 6 MB',
    { FunctionName: 'echo', Payload: payload('x'.repeat(6 * 1024 * 1024)) },
    413,
    'RequestEntityTooLargeException',
    'Request must be smaller than 6291456 bytes for the InvokeFunction operation',
  ],
])('the SDK recognizes the refusal of %s', async (_, input, httpStatusCode, name, message) => {
  await expect(lambda.send(new InvokeCommand(input))).rejects.toMatchObject({
    name,
    message: expect.stringContaining(message),
    $metadata: { httpStatusCode },
  })
})

test('a throttled invocation says its reason', async () => {
  await expect(lambda.send(new InvokeCommand({ FunctionName: 'none' }))).rejects.toMatchObject({
    Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    Type: 'User',
  })
})

// Source: AWS Lambda API reference, "ListFunctions".
test('functions are listed, in pages when they are asked for', async () => {
  const pages: (string | undefined)[][] = []
  for await (const { Functions } of paginateListFunctions({ client: lambda, pageSize: 1 }, {})) {
    pages.push(Functions!.map(({ FunctionName }) => FunctionName))
  }

  expect(pages).toEqual([['echo'], ['none']])
})

// Source: AWS Lambda API reference, "GetFunction" and "GetFunctionConfiguration".
test('a function is described, by name or by ARN', async () => {
  const one = await lambda.send(new GetFunctionCommand({ FunctionName: 'none' }))
  const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: `${arn}:$LATEST` }))

  expect(one).toMatchObject({
    Configuration: { FunctionName: 'none', MemorySize: 128, Timeout: 10, State: 'Active' },
    Code: { Location: expect.stringMatching(/^file:\/\/.*function-none-/) },
    Concurrency: { ReservedConcurrentExecutions: 0 },
  })
  expect(configuration).toMatchObject({
    FunctionArn: arn,
    Handler: 'index.handler',
    Runtime: 'nodejs24.x',
    Environment: { Variables: { COLOUR: 'blue' } },
    LastUpdateStatus: 'Successful',
  })
  for (const command of [GetFunctionCommand, GetFunctionConfigurationCommand]) {
    await expect(lambda.send(new command({ FunctionName: 'absent' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: `${notFound}:absent`,
    })
  }
})
