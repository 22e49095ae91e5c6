import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { TableCommit } from '../commit/commit.ts'
import { parseExactJson } from '../table/exact-json.ts'
import { CatalogError } from './catalog-error.ts'
import { makeRestCatalog, type RestCatalogOptions } from './rest-catalog.ts'

const table = { namespace: 'tidemark', name: 'changes' }

const metadata = `{
  "format-version": 2, "table-uuid": "u", "location": "s3://bucket/t", "last-sequence-number": 1, "last-updated-ms": 1,
  "current-schema-id": 0, "schemas": [{"type": "struct", "schema-id": 0, "fields": []}], "default-spec-id": 0,
  "partition-specs": [{"spec-id": 0, "fields": []}], "current-snapshot-id": 6838723292707092922,
  "snapshots": [{"snapshot-id": 6838723292707092922, "timestamp-ms": 1, "manifest-list": "s3://bucket/l", "summary": {}}],
  "refs": {"main": {"snapshot-id": 6838723292707092922, "type": "branch"}}
}`
const loaded = `{"metadata-location": "s3://bucket/t/metadata/1.json", "metadata": ${metadata}, "config": {}}`

const commit: TableCommit = {
  requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 6838723292707092922n }],
  updates: [{ action: 'remove-snapshots', 'snapshot-ids': [9007199254740993n] }],
}

type Reply = (response: ServerResponse) => void
type Received = { method: string; url: string; headers: IncomingMessage['headers']; body: string }

const json =
  (status: number, body: string, headers: Record<string, string> = {}): Reply =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  }
const refusal = (status: number, type: string, message = 'because') =>
  json(status, JSON.stringify({ error: { message, type, code: status } }))
const config = json(200, '{"defaults": {}, "overrides": {}}')
const cut: Reply = (response) => {
  response.socket?.destroy()
}
/** The catalog executes the request, and its answer is cut short. */
const cutInside: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(loaded.length) })
  response.write(loaded.slice(0, 100), () => response.socket?.destroy())
}
const silence: Reply = () => {}

const stops: (() => Promise<void>)[] = []

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
})

/** A catalog that gives the replies in turn, and answers further requests with 418. */
async function catalogOf(replies: Reply[], options: Partial<RestCatalogOptions> = {}) {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method = '', url = '', headers } = request
    received.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
    const reply = replies.shift() ?? json(418, '{}')
    reply(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/iceberg`
  return { received, catalog: makeRestCatalog({ endpoint, retryAfterMs: [1, 1], ...options }), server, endpoint }
}

test('a table is loaded with exact ids, below the prefix of the configuration', async () => {
  const { catalog, received } = await catalogOf([
    json(200, '{"defaults": {"prefix": "other"}, "overrides": {"prefix": "catalogs/123"}}'),
    json(200, loaded),
    json(200, loaded),
  ])

  const first = await catalog.loadTable(table)
  await catalog.loadTable(table)

  expect(first?.metadata['current-snapshot-id']).toBe(6838723292707092922n)
  expect(first?.metadataLocation).toBe('s3://bucket/t/metadata/1.json')
  expect(received.map(({ url }) => url)).toEqual([
    '/iceberg/v1/config',
    '/iceberg/v1/catalogs/123/namespaces/tidemark/tables/changes',
    '/iceberg/v1/catalogs/123/namespaces/tidemark/tables/changes',
  ])
})

test.each([
  ['encoded, as S3 Tables gives it', 'arn%3Aaws%3As3tables%3Aeu-central-1%3A1%3Abucket%2Fb'],
  ['bare', 'arn:aws:s3tables:eu-central-1:1:bucket/b'],
])('an ARN as prefix, %s, stands in the path encoded once', async (_, prefix) => {
  const warehouse = 'arn:aws:s3tables:eu-central-1:1:bucket/b'
  const { catalog, received } = await catalogOf(
    [json(200, JSON.stringify({ defaults: { prefix }, overrides: {} })), json(200, loaded)],
    { warehouse },
  )

  await catalog.loadTable(table)

  const once = encodeURIComponent(warehouse)
  expect(received.map(({ url }) => url)).toEqual([
    `/iceberg/v1/config?warehouse=${once}`,
    `/iceberg/v1/${once}/namespaces/tidemark/tables/changes`,
  ])
})

test('a configuration that could not be read is asked for again', async () => {
  const { catalog, received } = await catalogOf([refusal(403, 'ForbiddenException'), config, json(200, loaded)])

  await expect(catalog.loadTable(table)).rejects.toThrow('403 ForbiddenException')
  await catalog.loadTable(table)

  expect(received).toHaveLength(3)
})

test.each<[string, Reply]>([
  ['of the specification', refusal(404, 'NoSuchTableException')],
  ['about its namespace', refusal(404, 'NoSuchNamespaceException')],
  ['with a type of its own', refusal(404, 'not_found')],
  ["in AWS's shape", json(404, '{"message": "no"}', { 'x-amzn-errortype': 'NotFoundException' })],
])('a 404 %s is a table that is not there', async (_, reply) => {
  const { catalog } = await catalogOf([config, reply])

  await expect(catalog.loadTable(table)).resolves.toBeUndefined()
})

test.each<[string, Reply]>([
  ['of something before the catalog', json(404, '<html>')],
  ['about the operation', json(404, '{}', { 'x-amzn-errortype': 'UnknownOperationException' })],
])('a 404 %s is an error: the address is wrong', async (_, reply) => {
  const { catalog } = await catalogOf([config, reply])

  await expect(catalog.loadTable(table)).rejects.toMatchObject({ status: 404 })
})

test('a failing catalog is asked again, and then the error says what it answered', async () => {
  const once = await catalogOf([config, json(503, ''), cut, json(200, loaded)])
  const always = await catalogOf([config, json(500, ''), json(429, '{}'), json(502, '{"message": "bad gateway"}')])

  await expect(once.catalog.loadTable(table)).resolves.toBeDefined()
  await expect(always.catalog.loadTable(table)).rejects.toMatchObject({
    status: 502,
    message: expect.stringContaining('bad gateway'),
  })
})

test('a catalog that is not there is an error with the URL and the cause', async () => {
  const { catalog, server, endpoint } = await catalogOf([])
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))

  const load = catalog.loadTable(table)

  await expect(load).rejects.toThrow(CatalogError)
  await expect(load).rejects.toMatchObject({
    status: undefined,
    message: expect.stringContaining(`${endpoint}/v1/config`),
    cause: expect.any(Error),
  })
})

test('a namespace is created, or is there already', async () => {
  const { catalog, received } = await catalogOf([config, json(200, '{}'), refusal(409, 'AlreadyExistsException')])

  const outcomes = [await catalog.createNamespace('tidemark'), await catalog.createNamespace('tidemark')]

  expect(outcomes).toEqual(['created', 'exists'])
  expect(JSON.parse(received[1]!.body)).toEqual({ namespace: ['tidemark'], properties: {} })
})

test('a table is created, or is there already, also where an answer was lost', async () => {
  const definition = {
    schema: { type: 'struct', fields: [] },
    'partition-spec': { 'spec-id': 0, fields: [] },
    properties: { a: 'b' },
  } as const
  const { catalog, received } = await catalogOf([
    config,
    json(200, loaded),
    cut,
    refusal(409, 'AlreadyExistsException'),
  ])

  const created = await catalog.createTable(table, definition)
  const exists = await catalog.createTable(table, definition)

  expect(created).toMatchObject({ kind: 'created', metadataLocation: 's3://bucket/t/metadata/1.json' })
  expect(exists).toEqual({ kind: 'exists' })
  expect(JSON.parse(received[1]!.body)).toEqual({ name: 'changes', ...definition })
})

test('all pages of namespaces and tables are listed, and a namespace that does not exist has no tables', async () => {
  const { catalog, received } = await catalogOf([
    config,
    json(200, '{"namespaces": [["a"], ["b", "deeper"]], "next-page-token": "t&1"}'),
    json(200, '{"namespaces": [["c"]], "next-page-token": null}'),
    json(200, '{"identifiers": [{"namespace": ["a"], "name": "changes"}]}'),
    refusal(404, 'NoSuchNamespaceException'),
  ])

  expect(await catalog.listNamespaces()).toEqual(['a', 'c'])
  expect(await catalog.listTables('a')).toEqual([{ namespace: 'a', name: 'changes' }])
  expect(await catalog.listTables('gone')).toEqual([])
  expect(received.map(({ url }) => url).slice(1, 3)).toEqual([
    '/iceberg/v1/namespaces',
    '/iceberg/v1/namespaces?pageToken=t%261',
  ])
})

test.each<[string, Reply]>([
  ['renamed', (response) => response.writeHead(204).end()],
  ['absent', refusal(404, 'NoSuchTableException')],
  ['exists', refusal(409, 'AlreadyExistsException')],
  ['unsupported', refusal(406, 'UnsupportedOperationException')],
  ['unsupported', json(404, '{"message": "no such address"}')],
])('a table is renamed: %s', async (outcome, reply) => {
  const { catalog, received } = await catalogOf([config, reply])

  expect(await catalog.renameTable(table, { ...table, name: 'old' })).toBe(outcome)
  expect(JSON.parse(received[1]!.body)).toEqual({
    source: { namespace: ['tidemark'], name: 'changes' },
    destination: { namespace: ['tidemark'], name: 'old' },
  })
})

test.each<[string, Reply]>([
  ['registered', json(200, loaded)],
  ['exists', refusal(409, 'AlreadyExistsException')],
  ['unsupported', refusal(400, 'UnsupportedOperationException')],
])('a table is put back from its metadata: %s', async (outcome, reply) => {
  const { catalog, received } = await catalogOf([config, reply])

  expect(await catalog.registerTable(table, 's3://bucket/t/1.json')).toBe(outcome)
  expect(received[1]).toMatchObject({ method: 'POST', url: '/iceberg/v1/namespaces/tidemark/register' })
  expect(JSON.parse(received[1]!.body)).toEqual({ name: 'changes', 'metadata-location': 's3://bucket/t/1.json' })
})

test('a commit is sent with exact ids and answered with the new metadata', async () => {
  const { catalog, received } = await catalogOf([config, json(200, loaded)])

  const outcome = await catalog.commit(table, commit)

  expect(outcome).toMatchObject({ kind: 'committed', metadataLocation: 's3://bucket/t/metadata/1.json' })
  expect(received[1]).toMatchObject({ method: 'POST', url: '/iceberg/v1/namespaces/tidemark/tables/changes' })
  expect(parseExactJson(received[1]!.body)).toEqual({
    identifier: { namespace: ['tidemark'], name: 'changes' },
    ...commit,
  })
})

test('a requirement that does not hold is a conflict', async () => {
  const { catalog } = await catalogOf([config, refusal(409, 'CommitFailedException', 'branch main has changed')])

  await expect(catalog.commit(table, commit)).resolves.toEqual({ kind: 'conflict', message: 'branch main has changed' })
})

test.each<[string, Reply]>([
  ['500', refusal(500, 'CommitStateUnknownException')],
  ['502', json(502, '<html>')],
  ['503', refusal(503, 'SlowDownException')],
  ['504', refusal(504, 'CommitStateUnknownException')],
  ['429', json(429, '')],
  ['408', json(408, '')],
  ['a throttled request', json(400, '{"message": "slow"}', { 'x-amzn-errortype': 'ThrottlingException:http://x' })],
  ['a connection that is cut before the answer', cut],
  ['an answer that breaks off', cutInside],
  ['an answer that is not one of a catalog', json(200, '<html>')],
  ['no answer in time', silence],
])('after %s the commit is unknown, and is not sent again', async (_, reply) => {
  const { catalog, received } = await catalogOf([config, reply], { timeoutMs: 500 })

  const outcome = await catalog.commit(table, commit)

  expect(outcome).toEqual({ kind: 'unknown', cause: expect.any(Error) })
  expect(received).toHaveLength(2)
})

test.each<[number, string, string]>([
  [400, 'BadRequestException', 'check the warehouse'],
  [401, 'NotAuthorizedException', 'check the credentials'],
  [403, 'ForbiddenException', 'IAM'],
  [403, 'InvalidSignatureException', 'check the credentials'],
  [403, 'ExpiredTokenException', 'check the credentials'],
  [404, 'NoSuchTableException', 'namespace and table'],
  [419, 'AuthenticationTimeoutException', 'check the credentials'],
  [307, '', 'the catalog answered'],
])('a commit that is answered with %i was not done, and is an error', async (status, type, advice) => {
  const { catalog } = await catalogOf([config, refusal(status, type, 'the reason')])

  const outcome = catalog.commit(table, commit)

  await expect(outcome).rejects.toThrow(CatalogError)
  await expect(outcome).rejects.toMatchObject({ status, type, message: expect.stringContaining(advice) })
  await expect(outcome).rejects.toThrow('the reason')
})

test('the errors of AWS are reported with their type and message', async () => {
  const { catalog } = await catalogOf([
    json(403, '{"Message": "no"}', { 'x-amzn-errortype': 'AccessDeniedException:http://x' }),
  ])

  await expect(catalog.createNamespace('n')).rejects.toMatchObject({
    type: 'AccessDeniedException',
    message: expect.stringContaining('AccessDeniedException: no'),
  })
})

test('every request is signed in the form in which it is sent, and none is sent without a signature', async () => {
  const sign = async ({
    method,
    url,
    headers,
  }: {
    method: string
    url: URL
    headers: Readonly<Record<string, string>>
  }) => ({
    ...headers,
    authorization: `${method} ${url.pathname}${url.search}`,
  })
  const signed = await catalogOf([config, json(200, loaded)], { sign, warehouse: 'a:b' })
  const unsigned = await catalogOf([config, config], { sign: () => Promise.reject(new Error('no credentials')) })

  await signed.catalog.commit(table, commit)

  expect(signed.received.map(({ headers }) => headers.authorization)).toEqual([
    'GET /iceberg/v1/config?warehouse=a%3Ab',
    'POST /iceberg/v1/namespaces/tidemark/tables/changes',
  ])
  await expect(unsigned.catalog.commit(table, commit)).rejects.toThrow('no credentials')
  expect(unsigned.received).toEqual([])
})
