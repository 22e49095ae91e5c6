import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { makeRecordDestinations } from './record-destinations.ts'

let servers: ArchiveServers

beforeAll(async () => {
  servers = await startArchiveServers()
})
afterAll(() => servers?.stop())

test('an invocation record becomes an object of the bucket', async () => {
  const destinations = makeRecordDestinations({ s3: servers.s3Endpoint, key: servers.key })
  const key = 'aws/lambda/async/worker/2026/01/02/2026-01-02T03.04.05-1b2c'
  const credentials = { ...servers.key }
  const s3 = new S3Client({ endpoint: servers.s3Endpoint, region: 'us-east-1', credentials, forcePathStyle: true })

  await destinations.deliver({ service: 's3', arn: `arn:aws:s3:::${servers.bucket}`, key, body: '{"version":"1.0"}' })

  const { Body } = await s3.send(new GetObjectCommand({ Bucket: servers.bucket, Key: key }))
  expect(await Body!.transformToString()).toBe('{"version":"1.0"}')
  await expect(
    destinations.deliver({ service: 's3', arn: 'arn:aws:s3:::absent', key, body: '{}' }),
  ).rejects.toMatchObject({ name: 'NoSuchBucket' })
  s3.destroy()
  await destinations.close()
})

test('a service is reached where its endpoint is named', () => {
  const destinations = makeRecordDestinations({ sqs: 'http://127.0.0.1:1' })

  expect((['sqs', 'sns', 's3', 'events'] as const).filter(destinations.reaches)).toEqual(['sqs'])
})
