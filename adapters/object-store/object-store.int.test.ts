import { S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { makeObjectStore, type ObjectStore } from './object-store.ts'

let servers: ArchiveServers
let store: ObjectStore
let bucket: string

const bytes = (text: string) => new TextEncoder().encode(text)

beforeAll(async () => {
  servers = await startArchiveServers()
  const credentials = { ...servers.key }
  store = makeObjectStore(new S3Client({ endpoint: servers.s3Endpoint, region: 'us-east-1', credentials }))
  bucket = `s3://${servers.bucket}`
})
afterAll(async () => {
  await servers?.stop()
})

async function urlsOf(prefix: string): Promise<string[]> {
  const urls: string[] = []
  for await (const page of store.list(prefix)) urls.push(...page.map(({ url }) => url))
  return urls
}

test('an object is written once: the second writer finds the first object', async () => {
  const url = `${bucket}/once/ü a+b=%25.parquet`

  const outcomes = await Promise.all(Array.from({ length: 10 }, (_, i) => store.put(url, bytes(`writer ${i}`))))

  expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(1)
  expect(await store.put(url, bytes('later'))).toBe('exists')
  expect(await store.has(url)).toBe(true)
  const winner = outcomes.indexOf('stored')
  expect(new TextDecoder().decode(await store.get(url))).toBe(`writer ${winner}`)
  expect(await urlsOf(`${bucket}/once/`)).toEqual([url])
})

test('an object that is not there is no error', async () => {
  expect(await store.get(`${bucket}/nowhere`)).toBeUndefined()
  expect(await store.has(`${bucket}/nowhere`)).toBe(false)
  await store.remove([`${bucket}/nowhere`])
  expect(await urlsOf(`${bucket}/nowhere/`)).toEqual([])
})

test('more objects than a request takes are listed and removed', async () => {
  const urls = Array.from({ length: 1_100 }, (_, i) => `${bucket}/many/${String(i).padStart(4, '0')}`)
  for (let from = 0; from < urls.length; from += 100) {
    await Promise.all(urls.slice(from, from + 100).map((url) => store.put(url, bytes(url))))
  }

  expect(await urlsOf(`${bucket}/many/`)).toEqual(urls)
  await store.remove(urls)
  expect(await urlsOf(`${bucket}/many/`)).toEqual([])
})

test('an error names the object, what was asked and why it failed', async () => {
  const url = 's3://no-such-bucket/key'

  await expect(store.put(url, bytes(''))).rejects.toThrow(`cannot write ${url}: NoSuchBucket`)
  await expect(store.put('http://elsewhere/key', bytes(''))).rejects.toThrow('is not a place in an object store')
})
