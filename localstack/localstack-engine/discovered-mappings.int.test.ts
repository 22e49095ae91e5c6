import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { EventSourceMappingConfiguration } from '@aws-sdk/client-lambda'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { LocalAccount } from '#localstack/assembly/local-account.ts'
import { type Discovery, propertiesOf, startDiscovery } from './discovered-mappings.ts'
import { makeLambdaClient } from './localstack-functions.ts'

const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:apply'

/** A mapping as LocalStack lists it. It is disabled, so that it needs no broker. */
const listed = (overrides: object = {}) => ({
  UUID: 'ca4fb58d-bf6f-436e-a13d-33beb322e616',
  EventSourceMappingArn: 'arn:aws:lambda:us-east-1:000000000000:event-source-mapping:ca4fb58d',
  EventSourceArn: 'arn:aws:kafka:us-east-1:000000000000:cluster/tidemark-local/1',
  FunctionArn: functionArn,
  StartingPosition: 'TRIM_HORIZON',
  BatchSize: 100,
  Topics: ['changes'],
  AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'group' },
  State: 'Disabled',
  StateTransitionReason: 'User action',
  LastModified: 1795815833.855868,
  LastProcessingResult: 'No records processed',
  ...overrides,
})

/** Starts a Lambda API that lists these mappings, and discovers them. */
async function discover(mappings: object[]) {
  const server = createServer((request, response) => {
    const answer = request.url!.includes('/concurrency') ? {} : { EventSourceMappings: mappings }
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const lambda = makeLambdaClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'us-east-1')
  const account = {
    settings: { kafkaPort: 1, brokers: 1, objectStorePort: 1 },
    signal: new AbortController().signal,
    mappings: new Map(),
    administrators: new Map(),
    log: vi.fn(),
  } as unknown as LocalAccount
  const discovery: Discovery = startDiscovery(lambda, account)
  onTestFinished(async () => {
    await discovery.stop()
    await Promise.all([...account.mappings.values()].map(({ mapping }) => mapping.stop()))
    lambda.destroy()
    server.close()
  })
  return { account, discovery }
}

test('mappings that LocalStack lists are read as they were requested', () => {
  const configuration = listed({ State: 'Enabled', StartingPositionTimestamp: new Date(1_700_000_000_500) })

  expect(propertiesOf(configuration as unknown as EventSourceMappingConfiguration)).toEqual({
    FunctionName: functionArn,
    EventSourceArn: 'arn:aws:kafka:us-east-1:000000000000:cluster/tidemark-local/1',
    StartingPosition: 'TRIM_HORIZON',
    StartingPositionTimestamp: 1_700_000_000.5,
    BatchSize: 100,
    Topics: ['changes'],
    AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'group' },
    Enabled: true,
  })
})

test('a mapping that appears is polled, one that changes is changed, one that goes is ended', async () => {
  const mappings = [listed()]
  const { account, discovery } = await discover(mappings)
  await discovery.look()
  const [uuid] = account.mappings.keys()
  const { mapping } = account.mappings.get(uuid!)!

  mappings[0] = listed({ BatchSize: 7 })
  await discovery.look()
  const changed = account.mappings.get(uuid!)!
  mappings.pop()
  await discovery.look()

  expect(uuid).toBe('ca4fb58d-bf6f-436e-a13d-33beb322e616')
  expect([changed.mapping === mapping, changed.definition.batchSize]).toEqual([true, 7])
  expect([account.mappings.size, mapping.state()]).toEqual([0, 'Deleted'])
})

test('mappings of other services are not ours', async () => {
  const { account, discovery } = await discover([listed({ EventSourceArn: 'arn:aws:sqs:us-east-1:000000000000:q' })])

  await discovery.look()

  expect(account.mappings.size).toBe(0)
})

test('a mapping that cannot be polled is reported, and the others are polled', async () => {
  const refused = listed({ UUID: 'refused', TumblingWindowInSeconds: 5 })
  const { account, discovery } = await discover([refused, listed()])

  await expect(discovery.look()).rejects.toThrow('TumblingWindowInSeconds is not supported')

  expect([...account.mappings.keys()]).toEqual(['ca4fb58d-bf6f-436e-a13d-33beb322e616'])
  expect(account.log).toHaveBeenCalledWith('event-source-mappings', expect.stringContaining('TumblingWindowInSeconds'))
})
