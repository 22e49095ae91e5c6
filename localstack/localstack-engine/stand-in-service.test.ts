import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { openDeploymentRecord } from '#localstack/assembly/deployment-record.ts'
import type { LocalAccount } from '#localstack/assembly/local-account.ts'
import { openSecretStore } from '#localstack/assembly/secret-store.ts'
import { standInFor, standInTypes } from '#localstack/assembly/stand-ins.ts'
import type { Response } from '#localstack/endpoint/exchange.ts'
import { placeholderFor } from './placeholders.ts'
import { extensionDirectory } from './python.ts'
import { makeStandInService, type StandInService } from './stand-in-service.ts'

let account: LocalAccount
let standIns: StandInService
beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-stand-ins-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  account = {
    purpose: 'run',
    stack: { name: 'tidemark-local', region: 'us-east-1', account: '000000000000' },
    secrets: await openSecretStore(join(directory, 'secrets.json')),
    record: await openDeploymentRecord(join(directory, 'deployment.json')),
    brokerConfigurations: new Map(),
    databases: new Map(),
    signal: new AbortController().signal,
    step: (_name: string, work: () => Promise<unknown>) => work(),
    endpoint: {
      responseUrl: () => 'http://127.0.0.1:1/answer',
      awaitResponse: async () => ({ status: 'SUCCESS', physicalResourceId: 'made', data: { Brokers: 'b:1' } }),
    },
    functions: { invoke: vi.fn(async () => ({ statusCode: 200, payload: Buffer.alloc(0), logTail: '' })) },
  } as unknown as LocalAccount
  standIns = makeStandInService(() => account)
})

async function ask(type: string, properties: object, action = 'bring up', id = 'Thing') {
  const response = await standIns.service({
    method: 'POST',
    path: '/_tidemark/localstack/resources',
    query: new URLSearchParams(),
    headers: {},
    body: Buffer.from(JSON.stringify({ action, type, id, properties })),
  })
  // biome-ignore lint/suspicious/noExplicitAny: what is asked differs in each test
  return response as Response & { body: any }
}

test('a resource has the identifiers that the embedded engine gives it', async () => {
  const properties = { Name: 'tidemark-local', ServerProperties: 'min.insync.replicas=1', Description: 'ignored' }

  const { status, body } = await ask('AWS::MSK::Configuration', properties)

  const ref = 'arn:aws:kafka:us-east-1:000000000000:configuration/tidemark-local/00000000-0000-0000-0000-000000000000-1'
  expect(status).toBe(200)
  expect(body).toEqual({ ref, attributes: { Arn: ref, 'LatestRevision.Revision': 1 } })
  expect(account.brokerConfigurations.get(ref)).toEqual({ 'min.insync.replicas': '1' })
})

test('a secret comes with its value, and an attachment with what the database adds to it', async () => {
  account.databases.set('db-1', { host: '127.0.0.1', port: 5432, dbname: 'source' })
  const generate = { GenerateStringKey: 'password', SecretStringTemplate: '{"username":"postgres"}' }

  const { body } = await ask('AWS::SecretsManager::Secret', { GenerateSecretString: generate })
  const attached = await ask(
    'AWS::SecretsManager::SecretTargetAttachment',
    { SecretId: body.ref, TargetId: 'db-1', TargetType: 'AWS::RDS::DBInstance' },
    'bring up',
    'Attachment',
  )

  expect(body.ref).toMatch(/^arn:aws:secretsmanager:us-east-1:000000000000:secret:tidemark-local-Thing-\w{6}$/)
  expect(JSON.parse(body.secret)).toEqual({ username: 'postgres', password: expect.any(String) })
  expect(attached.body.ref).toBe(body.ref)
  expect(JSON.parse(attached.body.secret)).toMatchObject({
    ...JSON.parse(body.secret),
    ...{ engine: 'postgres', dbInstanceIdentifier: 'db-1', host: '127.0.0.1', port: 5432, dbname: 'source' },
  })
})

test('resources that were brought up before the deployment are known when CloudFormation asks, with numbers as text', async () => {
  const [type, serviceToken] = ['Custom::BootstrapBrokers', 'arn:aws:lambda:us-east-1:000000000000:function:brokers']
  const properties = { ServiceToken: serviceToken, Brokers: 1, Encrypted: true }
  const before = await standIns.standInFor(type)!.bringUp('Thing', properties, account)

  const { body } = await ask(type, { ServiceToken: serviceToken, Brokers: '1', Encrypted: 'true' })

  expect(body).toEqual({ ref: before.ref, attributes: before.attributes })
  expect(account.functions.invoke).toHaveBeenCalledOnce()
})

test('a custom resource is created, left alone while it is the same, updated and deleted', async () => {
  const serviceToken = 'arn:aws:lambda:us-east-1:000000000000:function:brokers'
  const requests = () =>
    vi.mocked(account.functions.invoke).mock.calls.map(([, payload]) => JSON.parse(payload.toString()).RequestType)

  const created = await ask('Custom::BootstrapBrokers', { ServiceToken: serviceToken, Brokers: 1 })
  await ask('Custom::BootstrapBrokers', { ServiceToken: serviceToken, Brokers: 1 })
  await ask('Custom::BootstrapBrokers', { ServiceToken: serviceToken, Brokers: 3 })
  await ask('Custom::BootstrapBrokers', { ServiceToken: serviceToken, Brokers: 3 }, 'take down')

  expect(created.body).toEqual({ ref: 'made', attributes: { Brokers: 'b:1' } })
  expect(requests()).toEqual(['Create', 'Update', 'Delete'])
})

test('a type that nothing stands for is refused by its name, and the first failure is kept', async () => {
  const { status, body } = await ask('AWS::DynamoDB::Table', {})
  await ask('AWS::SQS::Queue', {})

  expect({ status, body }).toEqual({
    status: 500,
    body: { message: 'Thing: there is no stand-in for AWS::DynamoDB::Table' },
  })
  expect(standIns.failure()).toMatchObject({ message: body.message })
})

test('a resource without local meaning gets a name and an ARN to which others can refer', async () => {
  const { body } = await ask('AWS::ECS::Cluster', {})

  const arn = 'arn:aws:ecs:us-east-1:000000000000:cluster/tidemark-local-Thing'
  expect(body).toEqual({ ref: 'tidemark-local-Thing', attributes: { Arn: arn } })
})

/** Types that LocalStack's open core has. Of these, the extension changes how secrets are handled. */
const ofLocalStack = /^AWS::(Events|Lambda|S3|SecretsManager)::/

test('the extension registers the types that LocalStack lacks and that something stands for', async () => {
  const entryPoints = await readFile(
    join(extensionDirectory, 'tidemark_localstack-1.dist-info/entry_points.txt'),
    'utf8',
  )
  const registered = [...entryPoints.matchAll(/^(AWS::\S+) = /gm)].map(([, type]) => type!)

  expect(registered.filter((type) => standInFor(type) === undefined && placeholderFor(type) === undefined)).toEqual([])
  const lacking = standInTypes.filter((type) => !ofLocalStack.test(type) && !registered.includes(type))
  expect(lacking).toEqual([])
})
