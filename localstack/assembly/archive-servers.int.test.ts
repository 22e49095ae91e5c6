import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { expect, onTestFinished, test } from 'vitest'
import { startGuard } from '#localstack/processes/guard.ts'
import { prepareJars } from '#localstack/servers/java/jars.ts'
import { findJava } from '#localstack/servers/java/java.ts'
import { jarsDirectory } from '#localstack/settings.ts'
import { testKey } from '#test-support/archive-servers.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { deploy } from './deploy.ts'
import { catalogUrl, type LocalAccount, objectStoreUrl } from './local-account.ts'
import { standInFor } from './stand-ins.ts'

test('all buckets share one object store and all table buckets one catalog, which are up when the first resource is', async () => {
  const account = await makeAccount({
    First: { Type: 'AWS::S3::Bucket', Properties: { BucketName: 'first' } },
    Second: { Type: 'AWS::S3::Bucket', Properties: { BucketName: 'second' } },
    Tables: { Type: 'AWS::S3Tables::TableBucket', Properties: { TableBucketName: 'tables' } },
    Database: { Type: 'AWS::Glue::Database', Properties: { DatabaseInput: { Name: 'database' } } },
  })

  await deploy(account, standInFor, (reason) => {
    throw reason
  })

  const healthy = account.servers.map((server) => server.health()).filter(({ state }) => state === 'healthy')
  expect(healthy.map(({ name }) => name).toSorted()).toEqual(['iceberg-catalog', 'object-store'])
  const endpoint = objectStoreUrl(account.settings)
  const s3 = new S3Client({ endpoint, region: 'us-east-1', credentials: { ...account.key } })
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}))
  s3.destroy()
  expect(Buckets.map(({ Name }) => Name).toSorted()).toEqual(['first', 'local--table-s3', 'second'])
  const root = `${catalogUrl(account.settings)}/iceberg/v1/namespaces`
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${account.key.token}` }
  const post = (url: string, body: unknown) => fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  await post(root, { namespace: ['tidemark'] })
  const schema = { type: 'struct', fields: [{ id: 1, name: 'id', type: 'long', required: true }] }
  const created = await post(`${root}/tidemark/tables`, { name: 'changes', schema })
  expect(await created.json()).toMatchObject({ metadata: { location: 's3://local--table-s3/tidemark/changes' } })
})

async function makeAccount(Resources: Record<string, unknown>): Promise<LocalAccount> {
  const directory = await mkdtemp(join(tmpdir(), 'archive-servers-'))
  const [objectStorePort, catalogPort] = (await freePortPairs(2)) as [number, number]
  const guard = startGuard()
  const environment = process.env
  const java = Promise.all([
    findJava(environment),
    prepareJars({ directory: jarsDirectory, environment, onProgress: () => undefined }),
  ]).then(([program, jars]) => ({ program, jars }))
  const account = {
    key: testKey,
    ...{ guard, java, purpose: 'run', signal: new AbortController().signal, servers: [] },
    settings: { directory, objectStorePort, catalogPort },
    stack: {
      name: 's',
      region: 'us-east-1',
      account: '000000000000',
      template: { Resources },
      assetDirectory: () => '',
    },
    shared: new Map(),
    step: (_name: string, work: (report: () => void) => Promise<unknown>) => work(() => undefined),
  } as unknown as LocalAccount
  onTestFinished(async () => {
    for (const server of account.servers) await server.stop()
    guard.stop()
    await rm(directory, { recursive: true })
  })
  return account
}
