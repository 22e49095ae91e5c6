import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import {
  LambdaClient,
  ListEventSourceMappingsCommand,
  ListFunctionsCommand,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type LocalStackEngine, startLocalStackEngine } from '#localstack/localstack-engine/localstack-engine.ts'
import { extensionDirectory, findPython, installLocalStack } from '#localstack/localstack-engine/python.ts'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { refuseBusyPorts } from '#localstack/processes/ports.ts'
import { becomesTrue } from '#localstack/processes/readiness.ts'
import { prepareJars } from '#localstack/servers/java/jars.ts'
import { jarsDirectory, type Settings } from '#localstack/settings.ts'
import { until } from '#test-support/eventually.ts'
import { freePorts, processesOf } from '#test-support/pipeline.ts'
import { compareDatabases, isEqual } from '#verify/compare-databases.ts'

const ROWS = 400
/** The time in which LocalStack is started, bootstrapped and deployed to again. */
const REDEPLOYED_MS = 180_000
/** Directories to which LocalStack writes by default. */
const OTHER_PLACES = ['/var/lib/localstack', '/usr/lib/localstack', join(tmpdir(), 'localstack')]

let root: string
let settings: Settings
let python: string
const before = OTHER_PLACES.map(existsSync)

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-localstack-'))
  settings = { directory: join(root, 'stack'), ...(await freePorts()) }
  for (const folder of ['stack', 'home', 'tmp']) await mkdir(join(root, folder), { mode: 0o700 })
  const signal = new AbortController().signal
  python = await installLocalStack(await findPython(process.env), { signal, report: console.log })
  await prepareJars({ directory: jarsDirectory, environment: process.env, onProgress: () => undefined, signal })
}, 900_000)

afterAll(() => rm(root, { recursive: true, force: true }))

const portsOf = ({ brokers: _, ...rest }: Settings): number[] =>
  Object.values(rest).filter((value) => typeof value === 'number')

async function expectNothingLeft(): Promise<void> {
  expect(processesOf(settings.directory)).toEqual([])
  await refuseBusyPorts(portsOf(settings).map((number) => ({ number, usedBy: 'nothing any more', variable: '-' })))
  expect(OTHER_PLACES.map(existsSync)).toEqual(before)
}

test('the extension, tested within the Python that runs it', async () => {
  const env = { PATH: process.env['PATH'], HOME: join(root, 'home'), PYTHONDONTWRITEBYTECODE: '1' }

  const finished = await runToEnd(python, ['-m', 'unittest', 'test_extension'], { cwd: extensionDirectory, env })

  expect(finished, finished.output).toMatchObject({ code: 0, output: expect.stringContaining('OK') })
  await rm(join(root, 'home'), { recursive: true })
  await mkdir(join(root, 'home'))
})

test('--once deploys, feeds, compares every row and the archive, and leaves nothing behind', async () => {
  const command = [
    join(import.meta.dirname, '../../commands/run.mjs'),
    'localstack',
    '--once',
    '--json',
    '--rows',
    `${ROWS}`,
  ]
  const { postgresPort, kafkaPort, connectPort, objectStorePort, catalogPort, endpointPort, localStackPort } = settings
  const child = spawn(process.execPath, command, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      HOME: join(root, 'home'),
      TMPDIR: join(root, 'tmp'),
      TIDEMARK_LOCALSTACK: 'python',
      TIDEMARK_DIRECTORY: settings.directory,
      TIDEMARK_POSTGRES_PORT: String(postgresPort),
      TIDEMARK_KAFKA_PORT: String(kafkaPort),
      TIDEMARK_CONNECT_PORT: String(connectPort),
      TIDEMARK_OBJECT_STORE_PORT: String(objectStorePort),
      TIDEMARK_CATALOG_PORT: String(catalogPort),
      TIDEMARK_ENDPOINT_PORT: String(endpointPort),
      TIDEMARK_LOCALSTACK_PORT: String(localStackPort),
    },
  })
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])

  expect(child.exitCode, errors).toBe(0)
  const [figures, result] = output.trimEnd().split('\n').slice(-2)
  console.log(`${figures}\n${result}`)
  expect(JSON.parse(result!)).toMatchObject({
    ...{ rows: ROWS, compared: ROWS + 265, mismatches: 0, archiveMismatches: 0 },
    firstVisibleSeconds: expect.any(Number),
  })
  expect(JSON.parse(figures!).localStack).toMatchObject({
    url: `http://127.0.0.1:${localStackPort}`,
    deploySeconds: expect.any(Number),
    residentBytes: expect.any(Number),
  })
  await expectNothingLeft()
  expect(await readdir(join(root, 'tmp'))).toEqual([])
  // The CDK's library keeps a cache of files that it has read there.
  expect((await readdir(join(root, 'home'))).filter((name) => name !== '.cdk')).toEqual([])
})

describe('a stack that goes on with the data of the one before', () => {
  let engine: LocalStackEngine
  let lambda: LambdaClient
  const aws = () => ({
    endpoint: `http://127.0.0.1:${settings.localStackPort}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
  })

  beforeAll(async () => {
    vi.stubEnv('TIDEMARK_LOCALSTACK', 'python')
    engine = await startLocalStackEngine({ settings, onProgress: () => undefined })
    lambda = new LambdaClient(aws())
  }, 300_000)
  afterAll(async () => {
    lambda?.destroy()
    await engine?.stop()
    vi.unstubAllEnvs()
    await expectNothingLeft()
  })

  test('has its functions, its mappings and its secrets in LocalStack', async () => {
    const { Functions } = await lambda.send(new ListFunctionsCommand())
    const { EventSourceMappings } = await lambda.send(new ListEventSourceMappingsCommand())
    const arn = engine.outputs['SourceAdminSecretArn']!
    const secrets = new SecretsManagerClient(aws())
    const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: arn }))
    secrets.destroy()

    expect(Functions!.map(({ FunctionName }) => FunctionName).sort()).toEqual(
      engine
        .functions()
        .map(({ name }) => name)
        .sort(),
    )
    expect(Functions).toHaveLength(12)
    expect(EventSourceMappings!.map(({ UUID }) => UUID).sort()).toEqual(
      engine
        .mappings()
        .map(({ id }) => id)
        .sort(),
    )
    expect(EventSourceMappings).toHaveLength(5)
    for (const mapping of EventSourceMappings!) {
      expect(mapping).toMatchObject({
        State: 'Enabled',
        BatchSize: 10_000,
        AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: expect.stringMatching(/^tidemark-/) },
      })
    }
    expect(JSON.parse(SecretString!)).toEqual(engine.secret(arn))
    expect(JSON.parse(SecretString!)).toMatchObject({ username: 'postgres', port: settings.postgresPort })
  })

  test.each([
    ['of a web page', { origin: 'https://app.localstack.cloud' }],
    ['of a page that another port of this machine serves', { origin: 'http://localhost:3000' }],
    ['under a name that was made to resolve to loopback', { host: 'example.org:4566' }],
  ])('refuses a request %s', async (_, headers) => {
    const asking = request({ host: '127.0.0.1', port: settings.localStackPort, path: '/_localstack/health', headers })

    const [response] = await once(asking.end(), 'response')

    expect(response.resume().statusCode).toBe(403)
  })

  test('polls as LocalStack was configured to', async () => {
    const { id } = engine.mappings().find(({ topic }) => topic === 'user-events')!
    const stateOf = () => engine.mappings().find((mapping) => mapping.id === id)!.state
    const update = (Enabled: boolean) => lambda.send(new UpdateEventSourceMappingCommand({ UUID: id, Enabled }))

    await update(false)
    await until('the mapping to be disabled', async () => stateOf() === 'Disabled')
    await update(true)
    await until('the mapping to be enabled', async () => stateOf() === 'Enabled')
  })

  test('is deployed again when LocalStack is killed, and loses nothing', async () => {
    const source = new pg.Client({ connectionString: engine.endpoints.source })
    await source.connect()
    process.kill(engine.health().find(({ name }) => name === 'localstack')!.pid!, 'SIGKILL')

    await source.query(`update public.green_trips set fare_amount = fare_amount + 1 where trip_id % 7 = 0`)
    await source.end()
    const mappings = async () => (await lambda.send(new ListEventSourceMappingsCommand())).EventSourceMappings!.length
    const again = await becomesTrue(async () => (await mappings().catch(() => 0)) === 5, {
      withinMs: REDEPLOYED_MS,
      everyMs: 500,
    })
    const comparison = await compareDatabases({
      source: engine.endpoints.source,
      target: engine.endpoints.reader,
      waitMs: REDEPLOYED_MS,
    })

    expect(again).toBe(true)
    expect(isEqual(comparison), JSON.stringify(comparison)).toBe(true)
    expect(engine.health().find(({ name }) => name === 'localstack')).toMatchObject({ state: 'healthy', restarts: 1 })
  })

  test('has its schedules run by LocalStack', async () => {
    const captures = () => engine.functions().find(({ name }) => name.endsWith('-capture-tables'))!.invocations

    expect(await becomesTrue(async () => captures() > 0, { withinMs: 90_000, everyMs: 500 })).toBe(true)
  })
})
