import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConnectRefusedError, ConnectUnreachableError, connectCalls } from './connect-api.ts'
import { type Connectors, makeConnectors } from './connector-listing.ts'

/** What a worker of Kafka 4.1 answers, by method and path. */
let answers: Record<string, { status?: number; body: unknown }>
let asked: { request: string; body: string }[]
let server: Server
let connectors: Connectors

beforeEach(async () => {
  asked = []
  server = createServer(async (request, response) => {
    const name = `${request.method} ${request.url}`
    asked.push({ request: name, body: (await request.toArray()).join('') })
    const { status = 200, body } = answers[name] ?? { status: 404, body: { error_code: 404, message: 'not found' } }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resume) => server.listen(0, '127.0.0.1', resume))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  connectors = makeConnectors(connectCalls(url, undefined, { answerMs: 5_000, rebalanceMs: 0 }))
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resume) => server.close(resume))
})

const all = 'GET /connectors?expand=status&expand=info'
const shop = {
  info: {
    name: 'shop',
    config: {
      'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
      'database.password': 'hunter2',
      'topic.prefix': 'shop',
      name: 'shop',
    },
    tasks: [{ connector: 'shop', task: 0 }],
    type: 'source',
  },
  status: {
    name: 'shop',
    connector: { state: 'RUNNING', worker_id: '127.0.0.1:8083', version: '3.7.0.Final' },
    tasks: [
      {
        ...{ id: 0, state: 'FAILED', worker_id: '127.0.0.1:8083' },
        trace: 'org.postgresql.util.PSQLException: at jdbc:postgresql://app:hunter2@db/shop refused',
      },
    ],
    type: 'source',
  },
}

test('connectors are listed by name, and Tidemark’s own is marked', async () => {
  const tidemark = { info: { name: 'tidemark', config: { 'connector.class': 'c' } } }
  answers = { [all]: { body: { tidemark, shop } } }

  expect(await connectors.list()).toEqual([
    {
      ...{ name: 'shop', isOwn: false, state: 'RUNNING' },
      class: 'io.debezium.connector.postgresql.PostgresConnector',
      tasks: [{ id: 0, state: 'FAILED', trace: expect.stringContaining('jdbc:postgresql://app:••••••@db/shop') }],
    },
    { name: 'tidemark', isOwn: true, class: 'c', state: 'UNASSIGNED', tasks: [] },
  ])
})

test('a connector has its configuration without the password, and its offsets as JSON', async () => {
  const offset = { partition: { server: 'shop' }, offset: { lsn: 24023128, snapshot_completed: true } }
  answers = { [all]: { body: { shop } }, 'GET /connectors/shop/offsets': { body: { offsets: [offset] } } }

  const detail = await connectors.read('shop')

  expect(detail?.configuration).toMatchObject({ 'database.password': '••••••', 'topic.prefix': 'shop' })
  expect(detail?.offsets).toEqual([JSON.stringify(offset)])
  expect(JSON.stringify(detail)).not.toContain('hunter2')
  expect(await connectors.read('other')).toBeUndefined()
})

test('validation returns what Connect says of each setting', async () => {
  const configs = [
    { definition: {}, value: { name: 'topic.prefix', value: null, errors: ['A value is required'] } },
    { definition: {}, value: { name: 'database.port', value: '5432', errors: [] } },
  ]
  answers = { 'PUT /connector-plugins/a.B/config/validate': { body: { name: 'a.B', error_count: 1, configs } } }

  expect(await connectors.validate('shop', { 'connector.class': 'a.B' })).toEqual(['topic.prefix: A value is required'])
  expect(JSON.parse(asked[0]!.body)).toEqual({ 'connector.class': 'a.B', name: 'shop' })
})

test('creating does not change a connector that is there', async () => {
  const message = 'Connector shop already exists'
  answers = { 'POST /connectors': { status: 409, body: { error_code: 409, message } } }

  await expect(connectors.create('shop', { 'connector.class': 'a.B' })).rejects.toThrow(message)
  expect(JSON.parse(asked[0]!.body)).toEqual({ name: 'shop', config: { 'connector.class': 'a.B' } })
})

test('names are encoded in paths', async () => {
  const path = '/connectors/a%2Fb%20c'
  answers = {
    [`POST ${path}/restart?includeTasks=true&onlyFailed=false`]: { status: 202, body: {} },
    [`PUT ${path}/pause`]: { status: 202, body: {} },
    [`PUT ${path}/resume`]: { status: 202, body: {} },
    [`DELETE ${path}`]: { body: {} },
  }

  for (const change of ['restart', 'pause', 'resume', 'delete'] as const) await connectors[change]('a/b c')

  expect(asked.map(({ request }) => request)).toEqual(Object.keys(answers))
  await expect(connectors.pause('gone')).rejects.toThrow(ConnectRefusedError)
})

test('a worker that does not answer is another error than one that refuses', async () => {
  const nobody = makeConnectors(connectCalls('http://127.0.0.1:1'))

  await expect(nobody.list()).rejects.toThrow(ConnectUnreachableError)
})
