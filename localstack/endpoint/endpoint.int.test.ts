import { request } from 'node:http'
import { GetBootstrapBrokersCommand, KafkaClient } from '@aws-sdk/client-kafka'
import { LambdaClient, ListLayersCommand } from '@aws-sdk/client-lambda'
import { GetSecretValueCommand, ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeRequestSigner } from '#adapters/iceberg/catalog/sign-requests.ts'
import { type FunctionHost, makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import { type Endpoint, startEndpoint } from './endpoint.ts'

const clusterArn = 'arn:aws:kafka:eu-central-1:000000000000:cluster/tidemark/1b2c-3'
const secretArn = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:target-a1b2c3'

const key = { accessKeyId: 'TIDEMARK1', secretAccessKey: 'secret of the stack' }

let host: FunctionHost
let endpoint: Endpoint
let lambda: LambdaClient

const client = () => ({
  endpoint: endpoint.url,
  region: 'eu-central-1',
  credentials: key,
  maxAttempts: 1,
})

beforeAll(async () => {
  host = makeFunctionHost({ endpointUrl: '', onLog: () => undefined })
  endpoint = await startEndpoint({
    port: 0,
    functions: host,
    key,
    secrets: (id) => (id === secretArn ? '{"password":"p"}' : undefined),
    bootstrapBrokers: (arn) => (arn === clusterArn ? { bootstrapBrokerString: '127.0.0.1:9092' } : undefined),
    pages: { status: async () => ({ healthy: true }) },
  })
  lambda = new LambdaClient(client())
})

afterAll(async () => {
  lambda.destroy()
  await endpoint.stop()
  await host.stop()
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

test.each([
  ['another key', { accessKeyId: 'local', secretAccessKey: 'local' }],
  ['the id of the key and another secret', { ...key, secretAccessKey: 'local' }],
])('a secret is not given to a request that is signed with %s', async (_, credentials) => {
  const secrets = new SecretsManagerClient({ ...client(), credentials })

  await expect(secrets.send(new GetSecretValueCommand({ SecretId: secretArn }))).rejects.toMatchObject({
    name: 'UnrecognizedClientException',
    message: expect.stringContaining('AWS_CONFIG_FILE'),
  })
  secrets.destroy()
})

test('a secret is not given to a request without a signature, nor with the signature of another request', async () => {
  const headers = { 'x-amz-target': 'secretsmanager.GetSecretValue', 'content-type': 'application/x-amz-json-1.1' }
  const body = JSON.stringify({ SecretId: secretArn })
  const sign = makeRequestSigner({ service: 's3tables', region: 'us-east-1', credentials: key })
  const url = new URL(endpoint.url)
  const ofAnother = await sign({ method: 'POST', url, headers: { ...headers, 'x-amz-target': 'other' }, body })

  const unsigned = await fetch(url, { method: 'POST', headers, body })
  const misused = await fetch(url, { method: 'POST', headers: { ...ofAnother, ...headers }, body })

  expect([unsigned.status, await unsigned.text()]).toEqual([400, expect.not.stringContaining('password')])
  expect([misused.status, await misused.text()]).toEqual([400, expect.not.stringContaining('password')])
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
    expect.stringContaining(
      '<Message>AWS service sts, action AssumeRole, is not served locally. Served are of Lambda Invoke,',
    ),
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
  ['of a page that another port of this machine serves', { origin: 'http://localhost:3000' }],
  ['of a page without an origin of its own', { origin: 'null' }],
  ['of a page under https', { host: 'localhost:80', origin: 'https://localhost:80' }],
  ['under a name that was made to resolve to loopback', { host: 'example.org:80' }],
])('a request %s is refused', async (_, headers) => {
  expect(await statusOf(headers)).toBe(403)
})

test('a request of a page of its own is answered', async () => {
  const host = `localhost:${endpoint.port}`
  expect(await statusOf({ host, origin: `http://${host}` })).toBe(200)
})

const statusOf = (headers: Record<string, string>) =>
  new Promise((resolve, reject) => {
    request({ port: endpoint.port, host: '127.0.0.1', path: '/_tidemark/status', headers }, (response) => {
      resolve(response.resume().statusCode)
    })
      .on('error', reject)
      .end()
  })

test('a port in use is named', async () => {
  const { port } = endpoint
  const options = { port, functions: host, secrets: () => undefined, bootstrapBrokers: () => undefined, pages: {} }

  await expect(startEndpoint(options)).rejects.toThrow(`the endpoint cannot listen on 127.0.0.1:${port}`)
})
