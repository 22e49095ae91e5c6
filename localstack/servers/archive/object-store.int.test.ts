import { randomBytes } from 'node:crypto'
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import type { HttpRequest } from '@smithy/types'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { makeObjectStore } from '#adapters/object-store/object-store.ts'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { eventually } from '#test-support/eventually.ts'

let servers: ArchiveServers
let s3: S3Client

beforeAll(async () => {
  servers = await startArchiveServers()
  // The client has only AWS's own variables, as in a function.
  vi.stubEnv('AWS_ENDPOINT_URL_S3', servers.s3Endpoint)
  vi.stubEnv('AWS_REGION', 'us-east-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', servers.key.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', servers.key.secretAccessKey)
  s3 = new S3Client({ maxAttempts: 1 })
})
afterAll(async () => {
  vi.unstubAllEnvs()
  s3?.destroy()
  await servers?.stop()
})

/** Sends requests without a signature. */
const unsigned = { sign: async (request: HttpRequest) => request }

const put = (key: string, body: Uint8Array | string) =>
  s3.send(new PutObjectCommand({ Bucket: servers.bucket, Key: key, Body: body, IfNoneMatch: '*' }))

async function get(key: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: servers.bucket, Key: key }))
  return Buffer.from(await Body!.transformToByteArray())
}

async function list(prefix: string, pageSize = 1000): Promise<string[]> {
  const keys: string[] = []
  for (let token: string | undefined; ; ) {
    const page = await s3.send(
      new ListObjectsV2Command({
        ...{ Bucket: servers.bucket, Prefix: prefix, MaxKeys: pageSize },
        ...(token && { ContinuationToken: token }),
      }),
    )
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key!))
    if (!page.IsTruncated) return keys
    token = page.NextContinuationToken
  }
}

test('of twenty writers of one key, each with If-None-Match, one succeeds and the others get 412', async () => {
  for (let round = 0; round < 5; round++) {
    const key = `race/${round}`

    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, writer) => put(key, `writer ${writer}`)))

    const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
    const statuses = outcomes.flatMap((each) =>
      each.status === 'rejected' ? [each.reason.$metadata.httpStatusCode] : [],
    )
    expect(statuses).toEqual(Array.from({ length: 19 }, () => 412))
    expect(String(await get(key))).toBe(`writer ${winner}`)
  }
})

test('objects are read, listed over pages and deleted by the names they were written under', async () => {
  const names = ['topic=changes/a b+c=%25.parquet', 'topic=changes/ü.parquet', 'topic=changes/x/0-9-$.parquet']
  const bytes = randomBytes(3 << 20)
  await Promise.all(names.map((name) => put(`names/${name}`, bytes)))

  const listed = await list('names/', 2)
  const read = await Promise.all(listed.map(get))
  const Objects = listed.map((Key) => ({ Key }))
  const { Errors } = await s3.send(new DeleteObjectsCommand({ Bucket: servers.bucket, Delete: { Objects } }))

  expect(listed.toSorted()).toEqual(names.map((name) => `names/${name}`).toSorted())
  expect(read.every((content) => content.equals(bytes))).toBe(true)
  expect(Errors ?? []).toEqual([])
  expect(await list('names/')).toEqual([])
})

test('after a kill -9 every acknowledged object exists, and every object under its own key is complete', async () => {
  const bytes = randomBytes(2 << 20)
  const written: string[] = []
  let killed = false
  const writer = async (number: number) => {
    for (let count = 0; !killed; count++) {
      const key = `kill/${number}-${count}`
      await put(key, bytes).then(
        () => written.push(key),
        () => undefined,
      )
    }
  }

  const writers = Array.from({ length: 4 }, (_, number) => writer(number))
  await eventually(() => expect(written.length).toBeGreaterThanOrEqual(12))
  const restarted = servers.killAndRestart('object-store')
  killed = true
  await Promise.all(writers)
  await restarted

  const listed = await list('kill/')
  expect(listed).toEqual(expect.arrayContaining(written))
  const underTheirKeys = listed.filter((key) => /^kill\/\d+-\d+$/.test(key))
  for (const key of underTheirKeys) expect((await get(key)).equals(bytes), key).toBe(true)
})

test.each([
  ['does not sign', undefined],
  ['signs with another key', { accessKeyId: 'local', secretAccessKey: 'local' }],
])('a client that %s reads, lists and writes nothing', async (_, credentials) => {
  await put('private/object', 'content').catch(() => undefined)
  const other = new S3Client({ maxAttempts: 1, ...(credentials ? { credentials } : { signer: unsigned }) })
  onTestFinished(() => other.destroy())
  const place = { Bucket: servers.bucket, Key: 'private/object' }

  const outcomes = await Promise.allSettled([
    other.send(new GetObjectCommand(place)),
    other.send(new ListObjectsV2Command({ Bucket: servers.bucket })),
    other.send(new PutObjectCommand({ ...place, Body: 'theirs' })),
    other.send(new DeleteObjectsCommand({ Bucket: servers.bucket, Delete: { Objects: [{ Key: place.Key }] } })),
  ])

  const statuses = outcomes.map((each) => (each.status === 'rejected' ? each.reason.$metadata.httpStatusCode : 200))
  expect(statuses.every((status) => status === 403 || status === 400)).toBe(true)
  expect(String(await get('private/object'))).toBe('content')
})

test('objects as large as the archive writes them are written side by side', async () => {
  const bytes = randomBytes(72 << 20)

  const store = makeObjectStore(s3)
  const urls = ['one', 'another', 'third'].map((name) => `s3://${servers.bucket}/large/${name}`)

  const outcomes = await Promise.all(urls.map((url) => store.put(url, bytes)))

  expect(outcomes).toEqual(['stored', 'stored', 'stored'])
  expect((await get('large/third')).equals(bytes)).toBe(true)
})
