import { request } from 'node:http'
import { GetBootstrapBrokersCommand, KafkaClient } from '@aws-sdk/client-kafka'
import {
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  ListLayersCommand,
} from '@aws-sdk/client-lambda'
import { GetSecretValueCommand, ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FunctionHost, makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import { type FunctionBundles, makeFunctionBundles } from '#test-support/function-bundle.ts'
import { type Endpoint, startEndpoint } from './endpoint.ts'

const clusterArn = 'arn:aws:kafka:eu-central-1:000000000000:cluster/tidemark/1b2c-3'
const secretArn = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:target-a1b2c3'

let bundles: FunctionBundles
let host: FunctionHost
let endpoint: Endpoint
let lambda: LambdaClient

const client = () => ({
  endpoint: endpoint.url,
  region: 'eu-central-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  maxAttempts: 1,
})

beforeAll(async () => {
  bundles = makeFunctionBundles()
  host = makeFunctionHost({ endpointUrl: '', onLog: () => undefined })
  const source = `export const handler = async (event) => {
    console.log('handling'); if (event.fail) throw new RangeError('too far'); return event }`
  host.add(await bundles.write('echo', source))
  host.add(await bundles.write('none', source, { reservedConcurrency: 0 }))
  endpoint = await startEndpoint({
    port: 0,
    functions: host,
    secrets: (id) => (id === secretArn ? '{"password":"p"}' : undefined),
    bootstrapBrokers: (arn) => (arn === clusterArn ? '127.0.0.1:9092' : undefined),
    pages: { status: async () => ({ healthy: true }) },
  })
  lambda = new LambdaClient(client())
})

afterAll(async () => {
  lambda.destroy()
  await endpoint.stop()
  await host.stop()
  await bundles.remove()
})

const payload = (value: unknown) => Buffer.from(JSON.stringify(value))

test.each(['echo', 'echo:$LATEST', 'arn:aws:lambda:eu-central-1:000000000000:function:echo'])(
  'the SDK invokes %s and gets its answer and its log',
  async (FunctionName) => {
    const answer = await lambda.send(new InvokeCommand({ FunctionName, Payload: payload({ a: 1 }), LogType: 'Tail' }))

    expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' })
    expect(answer.FunctionError).toBeUndefined()
    expect(answer.Payload!.transformToString()).toBe('{"a":1}')
    expect(Buffer.from(answer.LogResult!, 'base64').toString()).toContain('handling')
  },
)

test('a function error is an answer with its name', async () => {
  const answer = await lambda.send(new InvokeCommand({ FunctionName: 'echo', Payload: payload({ fail: true }) }))

  expect(answer).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' })
  expect(JSON.parse(answer.Payload!.transformToString())).toMatchObject({
    errorType: 'RangeError',
    errorMessage: 'too far',
  })
})

test('Event and DryRun are answered without a payload', async () => {
  const event = await lambda.send(new InvokeCommand({ FunctionName: 'echo', InvocationType: 'Event' }))
  const dryRun = await lambda.send(new InvokeCommand({ FunctionName: 'echo', InvocationType: 'DryRun' }))

  expect([event.StatusCode, dryRun.StatusCode]).toEqual([202, 204])
})

test.each([
  [{ FunctionName: 'absent' }, 'ResourceNotFoundException', 'Function not found: absent'],
  [{ FunctionName: 'echo', Qualifier: '7' }, 'ResourceNotFoundException', 'Function not found: echo:7'],
  [{ FunctionName: 'none' }, 'TooManyRequestsException', 'Rate Exceeded.'],
  [
    { FunctionName: 'echo', Payload: Buffer.from('{') },
    'InvalidRequestContentException',
    'Could not parse request body',
  ],
  [
    { FunctionName: 'echo', Payload: payload('x'.repeat(6 * 1024 * 1024)) },
    'RequestTooLargeException',
    'Request must be smaller than 6291456 bytes',
  ],
])('the SDK recognizes the refusal of %j', async (input, name, message) => {
  await expect(lambda.send(new InvokeCommand(input))).rejects.toMatchObject({
    name,
    message: expect.stringContaining(message),
  })
})

test('functions are listed and described', async () => {
  const { Functions } = await lambda.send(new ListFunctionsCommand())
  const one = await lambda.send(new GetFunctionCommand({ FunctionName: 'none' }))

  expect(Functions!.map(({ FunctionName }) => FunctionName)).toEqual(['echo', 'none'])
  expect(one).toMatchObject({
    Configuration: { MemorySize: 128, Timeout: 10 },
    Concurrency: { ReservedConcurrentExecutions: 0 },
  })
})

test('a secret is read by its ARN; another does not exist', async () => {
  const secrets = new SecretsManagerClient(client())

  const secret = await secrets.send(new GetSecretValueCommand({ SecretId: secretArn }))

  expect(secret).toMatchObject({ ARN: secretArn, SecretString: '{"password":"p"}', VersionStages: ['AWSCURRENT'] })
  await expect(secrets.send(new GetSecretValueCommand({ SecretId: 'other' }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  })
  secrets.destroy()
})

test('the brokers of a cluster are found by its ARN', async () => {
  const kafka = new KafkaClient(client())

  const brokers = await kafka.send(new GetBootstrapBrokersCommand({ ClusterArn: clusterArn }))

  expect(brokers.BootstrapBrokerString).toBe('127.0.0.1:9092')
  await expect(kafka.send(new GetBootstrapBrokersCommand({ ClusterArn: `${clusterArn}x` }))).rejects.toMatchObject({
    name: 'NotFoundException',
  })
  kafka.destroy()
})

test('a call nobody serves is refused by its name', async () => {
  const secrets = new SecretsManagerClient(client())

  await expect(secrets.send(new ListSecretsCommand({}))).rejects.toThrow(
    'AWS service secretsmanager, action ListSecrets, is not served locally',
  )
  await expect(lambda.send(new ListLayersCommand())).rejects.toThrow('GET /2018-10-31/layers, is not served locally')
  const sts = await fetch(endpoint.url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      Authorization: 'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sts/aws4_request, SignedHeaders=host',
    },
    body: 'Action=AssumeRole&Version=2011-06-15',
  })
  expect([sts.status, await sts.text()]).toEqual([
    501,
    expect.stringContaining('<Message>AWS service sts, action AssumeRole, is not served locally</Message>'),
  ])
  secrets.destroy()
})

test('a custom resource answers at its URL', async () => {
  const url = endpoint.responseUrl('token-1')

  const waiting = endpoint.awaitResponse('token-1', 5_000)
  await fetch(url, { method: 'PUT', body: JSON.stringify({ Status: 'SUCCESS', PhysicalResourceId: 'connector' }) })

  expect(await waiting).toEqual({ status: 'SUCCESS', physicalResourceId: 'connector', data: {} })
})

test('pages are JSON', async () => {
  expect(await (await fetch(`${endpoint.url}/_tidemark/status`)).json()).toEqual({ healthy: true })
  expect((await fetch(`${endpoint.url}/_tidemark/other`)).status).toBe(501)
})

test.each([
  ['of a web page', { origin: 'https://example.org' }],
  ['under a name that was made to resolve to loopback', { host: 'example.org:80' }],
])('a request %s is refused', async (_, headers) => {
  const { port } = endpoint
  const status = await new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/_tidemark/status', headers }, (response) => {
      resolve(response.resume().statusCode)
    })
      .on('error', reject)
      .end()
  })

  expect(status).toBe(403)
})

test('a port in use is named', async () => {
  const { port } = endpoint
  const options = { port, functions: host, secrets: () => undefined, bootstrapBrokers: () => undefined, pages: {} }

  await expect(startEndpoint(options)).rejects.toThrow(`the endpoint cannot listen on 127.0.0.1:${port}`)
})
