import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CustomResourceAnswer } from '#localstack/endpoint/custom-resource-answers.ts'
import { type DeploymentRecord, openDeploymentRecord } from '../deployment-record.ts'
import type { LocalAccount } from '../local-account.ts'
import { customResource, removeForgotten } from './custom-resources.ts'

const serviceToken = 'arn:aws:lambda:us-east-1:000000000000:function:migrate'

let record: DeploymentRecord
let file: string
beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-record-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  file = join(directory, 'deployment.json')
  record = await openDeploymentRecord(file)
})

type Event = Record<string, unknown> & { RequestType: string }
type Behaviour = (event: Event) => Partial<CustomResourceAnswer> | { crash: string }

function accountWith(behave: Behaviour, purpose: LocalAccount['purpose'] = 'run') {
  const events: Event[] = []
  const answers = new Map<string, CustomResourceAnswer>()
  const account = {
    purpose,
    record,
    removals: [],
    signal: new AbortController().signal,
    stack: { name: 's', region: 'us-east-1', account: '000000000000', template: { Resources: { Kept: {} } } },
    step: (_name: string, work: () => Promise<unknown>) => work(),
    endpoint: {
      responseUrl: (token: string) => `http://answer/${token}`,
      awaitResponse: async (token: string) => answers.get(token),
    },
    functions: {
      invoke: async (_name: string, payload: Buffer) => {
        const event = JSON.parse(payload.toString())
        events.push(event)
        const behaviour = behave(event)
        if ('crash' in behaviour)
          return { statusCode: 200, functionError: 'Unhandled', payload: behaviour.crash, logTail: '' }
        const answer = { status: 'SUCCESS' as const, physicalResourceId: 'physical', data: {}, ...behaviour }
        answers.set(event.RequestId, answer)
        return { statusCode: 200, payload: 'null', logTail: '' }
      },
    },
  } as unknown as LocalAccount
  return { account, events }
}

const bringUp = (account: LocalAccount, properties: Record<string, unknown>) =>
  customResource('Custom::Schema').bringUp('Kept', { ServiceToken: serviceToken, ...properties }, account)

describe('a custom resource', () => {
  test('is created first, and updated from then on with the id and properties of the time before', async () => {
    const created = accountWith(() => ({ data: { Version: '1' } }))
    const physical = await bringUp(created.account, { Epoch: 1, Drop: true, Tables: [{ Rows: 5 }] })

    record = await openDeploymentRecord(file)
    const updated = accountWith(() => ({ data: { Version: '2' } }))
    await bringUp(updated.account, { Epoch: 2 })

    expect(physical).toEqual({ ref: 'physical', attributes: { Version: '1' } })
    expect(created.events).toEqual([
      {
        RequestType: 'Create',
        RequestId: expect.any(String),
        ResponseURL: `http://answer/${created.events[0]!['RequestId']}`,
        StackId: 'arn:aws:cloudformation:us-east-1:000000000000:stack/s/local',
        ServiceToken: serviceToken,
        LogicalResourceId: 'Kept',
        ResourceType: 'Custom::Schema',
        // CloudFormation passes only text on.
        ResourceProperties: { ServiceToken: serviceToken, Epoch: '1', Drop: 'true', Tables: [{ Rows: '5' }] },
      },
    ])
    expect(updated.events).toMatchObject([
      {
        RequestType: 'Update',
        PhysicalResourceId: 'physical',
        ResourceProperties: { Epoch: '2' },
        OldResourceProperties: { Epoch: '1', Drop: 'true' },
      },
    ])
  })

  test('that answers FAILED stops the deployment with its reason, and what it began is removed later', async () => {
    const { account } = accountWith(() => ({ status: 'FAILED', reason: 'wal_level is replica' }))

    await expect(bringUp(account, {})).rejects.toThrow('migrate could not create Kept: wal_level is replica')

    expect((await openDeploymentRecord(file)).ids()).toEqual(['Kept'])
  })

  test('whose function crashes stops the deployment with the crash, without waiting for an answer', async () => {
    const { account } = accountWith(() => ({ crash: '{"errorMessage":"no handler"}' }))

    await expect(bringUp(account, {})).rejects.toThrow(
      'migrate failed at Create of Kept: {"errorMessage":"no handler"}',
    )
  })

  test('is asked nothing while a stack is taken down, until its turn to be deleted comes', async () => {
    await bringUp(accountWith(() => ({ data: { Brokers: 'b:1' } })).account, { Epoch: 1 })
    const { account, events } = accountWith(() => ({}), 'remove')

    const physical = await bringUp(account, { Epoch: 9 })
    expect(events).toEqual([])
    for (const remove of account.removals) await remove()

    expect(physical).toEqual({ ref: 'physical', attributes: { Brokers: 'b:1' } })
    expect(events).toMatchObject([
      { RequestType: 'Delete', PhysicalResourceId: 'physical', ResourceProperties: { Epoch: '1' } },
    ])
    expect(record.ids()).toEqual([])
  })

  test('that the template no longer has is deleted', async () => {
    const known = { type: 'Custom::Old', serviceToken, physicalId: 'old', properties: { A: 1 }, data: {} }
    await record.set('Gone', known)
    await record.set('Kept', known)
    const { account, events } = accountWith(() => ({}))

    await removeForgotten(account)

    expect(events).toMatchObject([{ RequestType: 'Delete', LogicalResourceId: 'Gone', PhysicalResourceId: 'old' }])
    expect(record.ids()).toEqual(['Kept'])
  })
})
