import {
  DescribeClusterV2Command,
  GetBootstrapBrokersCommand,
  KafkaClient,
  paginateListClustersV2,
} from '@aws-sdk/client-kafka'
import {
  CreateEventSourceMappingCommand,
  DeleteEventSourceMappingCommand,
  GetEventSourceMappingCommand,
  InvokeCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  UpdateEventSourceMappingCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import { DescribeSecretCommand, ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { makeRequestSigner } from '#adapters/iceberg/catalog/sign-requests.ts'
import { startMapping } from '#localstack/assembly/account-mappings.ts'
import type { LocalAccount } from '#localstack/assembly/local-account.ts'
import { makeFunctionLines } from '#localstack/function-lines.ts'
import { type FunctionHost, makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import { type FunctionBundles, makeFunctionBundles } from '#test-support/functions/function-bundle.ts'
import { startTestBroker, type TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { makeAccountService } from './account-services.ts'
import { type Endpoint, startEndpoint } from './endpoint/endpoint.ts'

const clusterArn = 'arn:aws:kafka:us-east-1:000000000000:cluster/tidemark/00000000-0000-0000-0000-000000000000-1'
const secretArn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:target-a1b2c3'
const key = { accessKeyId: 'TIDEMARK1', secretAccessKey: 'secret of the stack' }
const other = { accessKeyId: 'local', secretAccessKey: 'local' }

let broker: TestBroker
let bundles: FunctionBundles
let host: FunctionHost
let endpoint: Endpoint
let account: LocalAccount
let lambda: LambdaClient

const client = (credentials = key) => ({
  ...{ endpoint: endpoint.url, region: 'us-east-1', credentials, maxAttempts: 1 },
})

beforeAll(async () => {
  broker = await startTestBroker()
  await broker.createTopic('orders', 1)
  await broker.createTopic('changes', 1)
  bundles = makeFunctionBundles()
  const lines = makeFunctionLines()
  host = makeFunctionHost({ endpointUrl: '', onLog: lines.add })
  const source = `export const handler = async (event) => { console.log('handling', event.a ?? 'records')
    return { pid: process.pid, colour: process.env.COLOUR, memory: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE } }`
  host.add(await bundles.write('echo', source, { environment: { COLOUR: 'blue' } }))
  const ofAccount = makeAccountService()
  endpoint = await startEndpoint({
    port: 0,
    functions: host,
    key,
    secrets: () => undefined,
    bootstrapBrokers: () => ({ bootstrapBrokerString: broker.bootstrapServers }),
    pages: {},
    services: [ofAccount.service],
  })
  const cluster = { arn: clusterArn, name: 'tidemark', brokers: 1, kafkaVersion: '4.1.x.kraft', isSecure: false }
  account = {
    stack: { name: 'tidemark-local', region: 'us-east-1', account: '000000000000' },
    settings: { kafkaBootstrap: broker.bootstrapServers, objectStorePort: 1 },
    secrets: { arns: () => [secretArn], get: () => 'value' },
    clusters: new Map([[clusterArn, { ...cluster, since: new Date() }]]),
    ...{ functions: host, key, mappings: new Map(), administrators: new Map(), log: () => undefined },
  } as unknown as LocalAccount
  ofAccount.open(account, lines)
  startMapping(account, 'Changes', 'tidemark-local-Changes', {
    ...{ EventSourceArn: clusterArn, FunctionName: 'echo', Topics: ['changes'], StartingPosition: 'TRIM_HORIZON' },
    ...{ BatchSize: '500', AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'tidemark-changes' } },
  })
  lambda = new LambdaClient(client())
})

afterAll(async () => {
  lambda?.destroy()
  await Promise.all([...(account?.mappings.values() ?? [])].map(({ mapping }) => mapping.stop()))
  await endpoint?.stop()
  await host?.stop()
  await bundles?.remove()
  await broker?.stop()
})

const stateOf = async (UUID: string) => (await lambda.send(new GetEventSourceMappingCommand({ UUID }))).State
const reaches = (UUID: string, state: string) =>
  vi.waitFor(async () => expect(await stateOf(UUID)).toBe(state), { timeout: 30_000, interval: 100 })

test('mappings that run are listed as AWS describes them', async () => {
  const { EventSourceMappings: all } = await lambda.send(new ListEventSourceMappingsCommand({ FunctionName: 'echo' }))
  const none = await lambda.send(new ListEventSourceMappingsCommand({ EventSourceArn: 'arn:aws:kafka:other' }))

  expect(all).toEqual([
    expect.objectContaining({
      UUID: 'tidemark-local-Changes',
      EventSourceArn: clusterArn,
      FunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:echo',
      BatchSize: 500,
      MaximumRetryAttempts: -1,
      Topics: ['changes'],
      StartingPosition: 'TRIM_HORIZON',
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'tidemark-changes' },
      LastModified: expect.any(Date),
      LastProcessingResult: 'OK',
    }),
  ])
  expect(none.EventSourceMappings).toEqual([])
})

test('a mapping is paused and goes on, and its batch size is changed', async () => {
  const UUID = 'tidemark-local-Changes'
  await reaches(UUID, 'Enabled')

  const pausing = await lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }))
  await reaches(UUID, 'Disabled')
  const going = await lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: true, BatchSize: 7 }))
  await reaches(UUID, 'Enabled')

  expect([pausing.State, going.State, going.BatchSize]).toEqual(['Disabling', 'Enabling', 7])
})

test('a mapping is created, invokes its function, and is deleted', async () => {
  const { invocations: before } = host.list()[0]!
  await broker.produce('orders', [{ partition: 0, value: 'v' }])

  const made = await lambda.send(
    new CreateEventSourceMappingCommand({
      ...{ EventSourceArn: clusterArn, FunctionName: 'echo', Topics: ['orders'], StartingPosition: 'TRIM_HORIZON' },
    }),
  )
  await reaches(made.UUID!, 'Enabled')
  await vi.waitFor(() => expect(host.list()[0]!.invocations).toBe(before + 1), { timeout: 30_000, interval: 100 })
  expect(made).toMatchObject({ AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: made.UUID } })
  const gone = await lambda.send(new DeleteEventSourceMappingCommand({ UUID: made.UUID! }))

  expect(gone.State).toBe('Deleting')
  await vi.waitFor(() => expect(stateOf(made.UUID!)).rejects.toMatchObject({ name: 'ResourceNotFoundException' }), {
    timeout: 30_000,
    interval: 100,
  })
})

const wanted = {
  ...{ EventSourceArn: clusterArn, FunctionName: 'echo', Topics: ['orders'] },
  StartingPosition: 'TRIM_HORIZON' as const,
}

test.each([
  ['a topic ..', { Topics: ['..'] }, 'ValidationException'],
  ['an empty topic', { Topics: [''] }, 'ValidationException'],
  [
    'a long group',
    { AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'g'.repeat(300) } },
    'ValidationException',
  ],
  ['a batch of none', { BatchSize: 0 }, 'ValidationException'],
  [
    'a start in the future',
    { StartingPosition: 'AT_TIMESTAMP' as const, StartingPositionTimestamp: new Date(Date.now() + 86_400_000) },
    'InvalidParameterValueException',
  ],
  ['a function that does not exist', { FunctionName: 'absent' }, 'InvalidParameterValueException'],
  ['another cluster', { EventSourceArn: `${clusterArn}x` }, 'InvalidParameterValueException'],
  ['what there is already', { Topics: ['changes'] }, 'InvalidParameterValueException'],
])('a mapping with %s is refused', async (_, changes, name) => {
  await expect(lambda.send(new CreateEventSourceMappingCommand({ ...wanted, ...changes }))).rejects.toMatchObject({
    name,
    $metadata: { httpStatusCode: 400 },
  })
})

test('memory, timeout and environment of a function are changed for its next event', async () => {
  const invoke = async () =>
    JSON.parse((await lambda.send(new InvokeCommand({ FunctionName: 'echo' }))).Payload!.transformToString())
  const before = await invoke()

  const changed = await lambda.send(
    new UpdateFunctionConfigurationCommand({
      ...{ FunctionName: 'echo', MemorySize: 256, Timeout: 20, Environment: { Variables: { COLOUR: 'red' } } },
    }),
  )
  const after = await invoke()

  expect([before.colour, before.memory]).toEqual(['blue', '128'])
  expect(changed).toMatchObject({ MemorySize: 256, Timeout: 20, Environment: { Variables: { COLOUR: 'red' } } })
  expect([after.colour, after.memory, after.pid === before.pid]).toEqual(['red', '256', false])
})

test.each([
  [{ MemorySize: 64 }, 'ValidationException'],
  [{ Timeout: 901 }, 'ValidationException'],
  [{ Environment: { Variables: { AWS_REGION: 'x' } } }, 'InvalidParameterValueException'],
  [{ Handler: 'other.handler' }, 'NotImplemented'],
])('a change of a function to %j is refused', async (changes, name) => {
  const command = new UpdateFunctionConfigurationCommand({ FunctionName: 'echo', ...changes })

  await expect(lambda.send(command)).rejects.toMatchObject({ name })
})

test('a request that is not signed with the key of the stack changes nothing', async () => {
  const stranger = new LambdaClient(client(other))
  const refusal = { name: 'UnrecognizedClientException' }

  await expect(
    stranger.send(new UpdateEventSourceMappingCommand({ UUID: 'tidemark-local-Changes', Enabled: false })),
  ).rejects.toMatchObject(refusal)
  await expect(stranger.send(new CreateEventSourceMappingCommand(wanted))).rejects.toMatchObject(refusal)
  await expect(
    stranger.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'echo', MemorySize: 512 })),
  ).rejects.toMatchObject(refusal)
  stranger.destroy()
})

test('secrets are listed and described without their values', async () => {
  const secrets = new SecretsManagerClient(client(other))

  const { SecretList } = await secrets.send(new ListSecretsCommand({}))
  const one = await secrets.send(new DescribeSecretCommand({ SecretId: 'target' }))

  expect(SecretList).toEqual([expect.objectContaining({ ARN: secretArn, Name: 'target' })])
  expect(one).toMatchObject({ ARN: secretArn, VersionIdsToStages: expect.anything() })
  expect(JSON.stringify([SecretList, one])).not.toContain('value')
  await expect(secrets.send(new DescribeSecretCommand({ SecretId: 'absent' }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  })
  secrets.destroy()
})

test('the cluster is listed and described', async () => {
  const kafka = new KafkaClient(client(other))
  const listed = []
  for await (const { ClusterInfoList } of paginateListClustersV2({ client: kafka }, {}))
    listed.push(...ClusterInfoList!)

  const { ClusterInfo } = await kafka.send(new DescribeClusterV2Command({ ClusterArn: clusterArn }))
  const brokers = await kafka.send(new GetBootstrapBrokersCommand({ ClusterArn: clusterArn }))

  expect(listed).toEqual([ClusterInfo])
  expect(ClusterInfo).toMatchObject({
    ClusterName: 'tidemark',
    State: 'ACTIVE',
    Provisioned: { NumberOfBrokerNodes: 1 },
  })
  expect(brokers.BootstrapBrokerString).toBe(broker.bootstrapServers)
  kafka.destroy()
})

/** CloudWatch Logs is called by hand here, because the SDK's client for it is not a dependency of the project. */
async function askLogs(action: string, question: object, credentials = key): Promise<Record<string, unknown>> {
  const url = new URL(endpoint.url)
  const headers = { 'x-amz-target': `Logs_20140328.${action}`, 'content-type': 'application/x-amz-json-1.1' }
  const request = { method: 'POST', url, headers, body: JSON.stringify(question) }
  const sign = makeRequestSigner({ service: 's3tables', region: 'us-east-1', credentials })
  const response = await fetch(url, { method: 'POST', headers: await sign(request), body: request.body })
  return { status: response.status, ...((await response.json()) as Record<string, unknown>) }
}

test('the log of a function is read as it grows, and filtered', async () => {
  for (const a of [1, 2]) {
    await lambda.send(new InvokeCommand({ FunctionName: 'echo', Payload: Buffer.from(JSON.stringify({ a: `n${a}` })) }))
  }
  const logGroupName = '/aws/lambda/echo'

  const groups = await askLogs('DescribeLogGroups', { logGroupNamePrefix: '/aws/lambda/' })
  const found = await askLogs('FilterLogEvents', { logGroupName, filterPattern: 'handling n2' })
  const first = await askLogs('GetLogEvents', { logGroupName, logStreamName: 'local', startFromHead: true, limit: 2 })
  const next = await askLogs('GetLogEvents', {
    logGroupName,
    logStreamName: 'local',
    nextToken: first['nextForwardToken'],
    limit: 2,
  })
  const page = await askLogs('FilterLogEvents', { logGroupName, limit: 1 })
  const unknown = await askLogs('FilterLogEvents', { logGroupName: '/aws/lambda/absent' })
  const stranger = await askLogs('FilterLogEvents', { logGroupName }, other)

  expect(groups).toMatchObject({ logGroups: [{ logGroupName }] })
  expect(found).toMatchObject({ events: [{ logStreamName: 'local', message: expect.stringContaining('handling n2') }] })
  const messages = [first, next].flatMap(({ events }) =>
    (events as { message: string }[]).map(({ message }) => message),
  )
  expect(new Set(messages).size).toBe(4)
  expect(page).toMatchObject({ events: [expect.anything()], nextToken: expect.any(String) })
  expect(unknown).toMatchObject({ status: 400, __type: 'ResourceNotFoundException' })
  expect(stranger).toMatchObject({ status: 400, __type: 'UnrecognizedClientException' })
})

test('the caller is the account', async () => {
  const body = 'Action=GetCallerIdentity&Version=2011-06-15'
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }

  const answer = await fetch(endpoint.url, { method: 'POST', headers, body })

  expect(await answer.text()).toContain('<Account>000000000000</Account>')
})
