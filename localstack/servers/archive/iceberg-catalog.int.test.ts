import { randomInt, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeRequestSigner } from '#adapters/iceberg/catalog/sign-requests.ts'
import type { SigningKey } from '#localstack/stack-key.ts'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { eventually } from '#test-support/eventually.ts'

/** The parts of an answer that the tests read. */
type Answer = {
  error?: { type: string }
  overrides?: { prefix?: string }
  metadata?: {
    'table-uuid': string
    location: string
    'current-snapshot-id'?: number
    snapshots?: { 'snapshot-id': number }[]
  }
}

let servers: ArchiveServers
let root: string

beforeAll(async () => {
  servers = await startArchiveServers()
  const { body } = await call('GET', '/v1/config?warehouse=arn:aws:s3tables:us-east-1:000000000000:bucket/tidemark')
  root = `/v1/${body.overrides?.prefix}`
  await call('POST', `${root}/namespaces`, { namespace: ['tidemark'] })
})
afterAll(() => servers?.stop())

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Answer }> {
  const response = await fetch(`${servers.catalogEndpoint}${path}`, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${servers.key.token}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Answer }
}

const schema = { type: 'struct', fields: [{ id: 1, name: 'id', type: 'long', required: true }] }

async function createTable(): Promise<{ path: string; uuid: string; location: string }> {
  const name = `t_${randomUUID().replaceAll('-', '')}`
  const { body } = await call('POST', `${root}/namespaces/tidemark/tables`, { name, schema })
  const { 'table-uuid': uuid, location } = body.metadata!
  return { path: `${root}/namespaces/tidemark/tables/${name}`, uuid, location }
}

type Base = { uuid: string; parent: number | null }

/** An append without files to `base`. The catalog does not read the manifest list. */
function appendOn({ uuid, parent }: Base, id = randomInt(1, 2 ** 47)) {
  const snapshot = {
    ...{ 'snapshot-id': id, 'sequence-number': id, 'timestamp-ms': Date.now() },
    ...{ 'manifest-list': `s3://archive/${id}.avro`, summary: { operation: 'append' }, 'schema-id': 0 },
    ...(parent !== null && { 'parent-snapshot-id': parent }),
  }
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid },
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': parent },
    ],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
    ],
  }
}

const snapshotIds = (answer: Answer): number[] => (answer.metadata?.snapshots ?? []).map((each) => each['snapshot-id'])

describe('a commit', () => {
  test('of ten on one base is taken, and the nine others conflict', async () => {
    const { path, uuid } = await createTable()
    const first = await call('POST', path, appendOn({ uuid, parent: null }, 1))
    const parent = first.body.metadata!['current-snapshot-id']!

    const ids = Array.from({ length: 10 }, (_, index) => 2 + index)
    const answers = await Promise.all(ids.map((id) => call('POST', path, appendOn({ uuid, parent }, id))))

    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(9).fill(409)])
    const refused = answers.filter(({ status }) => status === 409).map(({ body }) => body.error?.type)
    expect(new Set(refused)).toEqual(new Set(['CommitFailedException']))
    const winner = ids[answers.findIndex(({ status }) => status === 200)]
    expect(snapshotIds((await call('GET', path)).body)).toEqual([1, winner])
  })

  test('for a table of the same name that was another one conflicts', async () => {
    const { path } = await createTable()

    const { status, body } = await call('POST', path, appendOn({ uuid: randomUUID(), parent: null }))

    expect([status, body.error?.type]).toEqual([409, 'CommitFailedException'])
    expect(snapshotIds((await call('GET', path)).body)).toEqual([])
  })

  test('that was answered exists after a kill -9, and the metadata of the table is then a complete chain', async () => {
    const { path, uuid } = await createTable()
    const taken: number[] = []
    let killed = false
    const commitUntilKilled = async () => {
      while (!killed) {
        const next = taken.length + 1
        const answer = await call('POST', path, appendOn({ uuid, parent: taken.at(-1) ?? null }, next)).catch(
          () => undefined,
        )
        if (answer?.status !== 200) return
        taken.push(next)
      }
    }

    const committing = commitUntilKilled()
    await eventually(() => expect(taken.length).toBeGreaterThanOrEqual(10))
    const restarted = servers.killAndRestart('iceberg-catalog')
    killed = true
    await Promise.all([committing, restarted])

    const found = snapshotIds((await call('GET', path)).body)
    expect(found.slice(0, taken.length)).toEqual(taken)
    expect(found.length - taken.length).toBeLessThanOrEqual(1)
    const next = await call('POST', path, appendOn({ uuid, parent: found.at(-1)! }, found.length + 1))
    expect(next.status).toBe(200)
  })
})

test('a warehouse is a prefix, of one segment as that of S3 Tables or of several as Glue’s, and all are one catalog', async () => {
  const { path } = await createTable()

  const throughGlue = await call('GET', path.replace(root, '/v1/catalogs/000000000000'))
  const withoutPrefix = await call('GET', path.replace(root, '/v1'))

  expect(root).toBe('/v1/arn%3Aaws%3As3tables%3Aus-east-1%3A000000000000%3Abucket%2Ftidemark')
  expect([throughGlue.status, withoutPrefix.status]).toEqual([200, 200])
  expect(throughGlue.body).toEqual(withoutPrefix.body)
})

test('what exists already or does not exist is an error of the types in the specification', async () => {
  const { path } = await createTable()

  const [again, absent, table] = await Promise.all([
    call('POST', `${root}/namespaces`, { namespace: ['tidemark'] }),
    call('GET', `${path}_absent`),
    call('POST', path.replace(/\/[^/]+$/, ''), { name: path.split('/').at(-1), schema }),
  ])

  expect([again.status, again.body.error?.type]).toEqual([409, 'AlreadyExistsException'])
  expect([absent.status, absent.body.error?.type]).toEqual([404, 'NoSuchTableException'])
  expect([table.status, table.body.error?.type]).toEqual([409, 'AlreadyExistsException'])
})

test('a table without a location lies in the bucket, one with a location where it says', async () => {
  const { location } = await createTable()
  const place = `s3://${servers.bucket}/changes/elsewhere`

  const placed = await call('POST', `${root}/namespaces/tidemark/tables`, { name: 'placed', schema, location: place })

  expect(location).toMatch(new RegExp(`^s3://${servers.bucket}/tidemark/t_`))
  expect(placed.body.metadata?.location).toBe(place)
})

describe('a request without the key of the stack', () => {
  const statusOf = async (method: string, path: string, headers: Record<string, string>, body?: string) =>
    (await fetch(`${servers.catalogEndpoint}${path}`, { method, headers, ...(body !== undefined && { body }) })).status

  test.each([
    ['nothing', {}],
    ['what a browser sends for a web page', { 'content-type': 'text/plain', origin: 'https://example.org' }],
    ['another token', { authorization: 'Bearer another' }],
    ['an empty signature', { authorization: 'AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature=' }],
  ])('renames and reads nothing: %s', async (_, headers) => {
    const { path } = await createTable()
    const name = path.split('/').at(-1)!
    const source = { namespace: ['tidemark'], name }
    const rename = JSON.stringify({ source, destination: { ...source, name: `${name}_away` } })

    const answers = [
      await statusOf('POST', '/v1/tables/rename', headers, rename),
      await statusOf('POST', '/v1/namespaces', headers, '{"namespace":["theirs"]}'),
      await statusOf('GET', '/v1/config', headers),
      await statusOf('GET', path, headers),
    ]

    expect(answers).toEqual([401, 401, 401, 401])
    expect((await call('GET', path)).status).toBe(200)
  })

  test('is let in by a signature of the request, and of no other', async () => {
    const { path } = await createTable()
    const url = new URL(`${servers.catalogEndpoint}${path}?snapshots=all&a=b%20c`)
    const sign = (credentials: SigningKey, method = 'GET') =>
      makeRequestSigner({ service: 's3tables', region: 'us-east-1', credentials })({
        ...{ method, url, headers: {}, body: undefined },
      })
    const ask = async (headers: Record<string, string>) => (await fetch(url, { headers })).status

    const signed = await ask(await sign(servers.key))
    const otherSecret = await ask(await sign({ ...servers.key, secretAccessKey: 'guessed' }))
    const otherMethod = await ask(await sign(servers.key, 'DELETE'))

    expect([signed, otherSecret, otherMethod]).toEqual([200, 401, 401])
  })
})
