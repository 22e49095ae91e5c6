import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CloudFormationCustomResourceEvent } from 'aws-lambda'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { answerCustomResource } from './custom-resource.ts'

type Put = { method: string | undefined; contentType: string | undefined; body: Record<string, unknown> }

let server: Server
let puts: Put[]
let statuses: number[]

beforeEach(async () => {
  puts = []
  statuses = []
  server = createServer(async (request, response) => {
    const body = (await request.toArray()).join('')
    puts.push({ method: request.method, contentType: request.headers['content-type'], body: JSON.parse(body) })
    response.writeHead(statuses.shift() ?? 200).end()
  })
  await new Promise<void>((resume) => server.listen(0, '127.0.0.1', resume))
})

afterEach(() => {
  server.close()
})

const aMinute = { getRemainingTimeInMillis: () => 60_000 }

function event(request: { RequestType: 'Create' } | { RequestType: 'Update'; PhysicalResourceId: string }) {
  return {
    ...request,
    ServiceToken: 'arn:aws:lambda:eu-central-1:1:function:f',
    ResponseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/answer?signature=x`,
    StackId: 'stack',
    RequestId: 'request',
    LogicalResourceId: 'Schema',
    ResourceType: 'Custom::Schema',
    OldResourceProperties: {},
    ResourceProperties: { ServiceToken: '' },
  } as CloudFormationCustomResourceEvent
}

test('work that succeeds is answered SUCCESS with its data and a content type the presigned URL accepts', async () => {
  await answerCustomResource(event({ RequestType: 'Create' }), aMinute, async () => ({ data: { applied: 2 } }))

  expect(puts).toEqual([
    {
      method: 'PUT',
      contentType: '',
      body: {
        Status: 'SUCCESS',
        Reason: '',
        PhysicalResourceId: 'Schema',
        StackId: 'stack',
        RequestId: 'request',
        LogicalResourceId: 'Schema',
        Data: { applied: 2 },
      },
    },
  ])
})

test('an update keeps the physical id, so CloudFormation never replaces the resource', async () => {
  const update = event({ RequestType: 'Update', PhysicalResourceId: 'given-at-creation' })

  await answerCustomResource(update, aMinute, async () => undefined)

  expect(puts[0]!.body['PhysicalResourceId']).toBe('given-at-creation')
})

test('a failure is answered FAILED with the messages of the error and its causes, within 4096 bytes', async () => {
  await answerCustomResource(event({ RequestType: 'Create' }), aMinute, async () => {
    throw new Error('003-beacon.sql failed', { cause: new Error('x'.repeat(10_000)) })
  })

  expect(puts[0]!.body).toMatchObject({ Status: 'FAILED', PhysicalResourceId: 'Schema' })
  expect(puts[0]!.body['Reason']).toMatch(/^003-beacon\.sql failed: xxx/)
  expect(JSON.stringify(puts[0]!.body).length).toBeLessThan(4096)
})

test('work that would outlive the function is answered FAILED while there is time left to say so', async () => {
  const almostOver = { getRemainingTimeInMillis: () => 5_010 }

  await answerCustomResource(event({ RequestType: 'Create' }), almostOver, () => new Promise(() => {}))

  expect(puts[0]!.body).toMatchObject({
    Status: 'FAILED',
    Reason: 'Create of Schema did not end within the time limit',
  })
})

test('an answer the endpoint refuses once is sent again', async () => {
  statuses = [503]

  await answerCustomResource(event({ RequestType: 'Create' }), aMinute, async () => undefined)

  expect(puts).toHaveLength(2)
})

test('an answer that cannot be delivered is an error, so Lambda invokes the function again', async () => {
  statuses = [403, 403, 403, 403]

  const answered = answerCustomResource(event({ RequestType: 'Create' }), aMinute, async () => undefined)

  await expect(answered).rejects.toThrow('the answer of Schema was not accepted by CloudFormation')
})
