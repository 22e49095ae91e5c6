import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { testKey } from '#test-support/archive-servers.ts'
import type { LocalAccount } from '../local-account.ts'
import { standInFor } from '../stand-ins.ts'
import { checkTemplate } from '../template/template-check.ts'

let server: Server
let requests: string[]
let objectStorePort: number

beforeEach(async () => {
  requests = []
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url?.replace(/\/$/, '')}`)
    const known = request.url?.startsWith('/kept')
    const code = known ? 'BucketAlreadyOwnedByYou' : request.url?.startsWith('/Refused') ? 'No' : undefined
    response.writeHead(known ? 409 : code ? 400 : 200)
    response.end(code && `<Error><Code>${code}</Code></Error>`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  objectStorePort = (server.address() as AddressInfo).port
})
afterEach(() => server.close())

/** An account in which other resources have started both servers already. */
const account = (purpose: LocalAccount['purpose'] = 'run') =>
  ({
    purpose,
    stack: { name: 'tidemark-local', region: 'eu-west-1', account: '000000000000' },
    settings: { objectStorePort },
    key: testKey,
    shared: new Map([
      ['object-store', Promise.resolve()],
      ['iceberg-catalog', Promise.resolve()],
    ]),
  }) as unknown as LocalAccount

const bringUp = (type: string, id: string, properties: unknown, purpose?: LocalAccount['purpose']) =>
  standInFor(type)!.bringUp(id, properties, account(purpose))

describe('a bucket', () => {
  test('is made on the object store under its name', async () => {
    const physical = await bringUp('AWS::S3::Bucket', 'Files', { BucketName: 'files' })

    expect(physical).toEqual({ ref: 'files', attributes: { Arn: 'arn:aws:s3:::files' } })
    expect(requests).toEqual(['PUT /files'])
  })

  test('without a name has one of stack and logical id, in lower case and no longer than S3 allows', async () => {
    const { ref } = await bringUp('AWS::S3::Bucket', `Archive${'X'.repeat(80)}`, {})

    expect(ref).toMatch(/^tidemark-local-archivex+$/)
    expect(ref).toHaveLength(63)
  })

  test('that is there from an earlier run is kept, and one that is refused is an error with the answer', async () => {
    await bringUp('AWS::S3::Bucket', 'Kept', { BucketName: 'kept' })

    await expect(bringUp('AWS::S3::Bucket', 'Refused', { BucketName: 'Refused' })).rejects.toThrow(
      'the object store did not create the bucket Refused: No',
    )
  })

  test('is not made where the stack is only removed', async () => {
    await bringUp('AWS::S3::Bucket', 'Files', { BucketName: 'files' }, 'remove')

    expect(requests).toEqual([])
  })
})

test('a table bucket is its ARN, and the catalog has a bucket for what is created without a location', async () => {
  const arn = 'arn:aws:s3tables:eu-west-1:000000000000:bucket/tidemark-local'

  const physical = await bringUp('AWS::S3Tables::TableBucket', 'Tables', { TableBucketName: 'tidemark-local' })

  expect(physical).toEqual({ ref: arn, attributes: { TableBucketARN: arn } })
  expect(requests).toEqual(['PUT /local--table-s3'])
})

test('a Glue database is its name', async () => {
  const physical = await bringUp('AWS::Glue::Database', 'Database', { DatabaseInput: { Name: 'tidemark_local' } })

  expect(physical).toEqual({ ref: 'tidemark_local' })
})

test('a template with what CDK writes for them can be executed, and one with versions of objects cannot', () => {
  const resources = (more: Record<string, unknown>) => ({
    Resources: {
      Bucket: {
        Type: 'AWS::S3::Bucket',
        Properties: { BucketEncryption: {}, PublicAccessBlockConfiguration: {}, ...more },
      },
      Policy: { Type: 'AWS::S3::BucketPolicy', Properties: { Bucket: { Ref: 'Bucket' } } },
      Tables: {
        Type: 'AWS::S3Tables::TableBucket',
        Properties: { TableBucketName: 'tables', EncryptionConfiguration: { SSEAlgorithm: 'aws:kms' } },
      },
      Database: {
        Type: 'AWS::Glue::Database',
        Properties: { CatalogId: { Ref: 'AWS::AccountId' }, DatabaseInput: { Name: 'a', Description: 'b' } },
      },
    },
    Outputs: { Warehouse: { Value: { 'Fn::GetAtt': ['Tables', 'TableBucketARN'] } } },
  })

  checkTemplate(resources({}) as never, standInFor)

  expect(() => checkTemplate(resources({ VersioningConfiguration: {} }) as never, standInFor)).toThrow(
    'Bucket.Properties.VersioningConfiguration: the stand-in for AWS::S3::Bucket does not know this property',
  )
})
