import { access } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { QueryResult } from '#core/console/archive.ts'
import { archiveNamespace, makeArchiveFunctions } from '#test-support/archive-readers/archive-functions.ts'
import { madeEvents } from '#test-support/archive-readers/made-topics.ts'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { type ConsoleQuery, makeConsoleQuery } from './console-query.ts'
import { installChdb } from './install-chdb.ts'

let servers: ArchiveServers
let database: TestDatabase
let archive: ConsoleQuery
let records = 0

beforeAll(async () => {
  await installChdb({ onProgress: console.log })
  servers = await startArchiveServers()
  database = await createDatabase('target')
  const warehouse = 'arn:aws:s3tables:us-east-1:000000000000:bucket/tidemark-local'
  const services = { ...servers, warehouse, credentials: servers.key, token: servers.key.token }
  const functions = makeArchiveFunctions(services, database.pool)
  for (const { event, expected } of madeEvents(3_000)) {
    await functions.archive(event)
    records += expected.length
  }
  await functions.commit()
  const { catalogEndpoint, s3Endpoint, key } = servers
  archive = makeConsoleQuery({ catalogEndpoint, s3Endpoint, warehouse, namespace: archiveNamespace, key })
}, 1_200_000)
afterAll(async () => {
  archive?.close()
  await database?.drop()
  await servers?.stop()
})

const rows = async (sql: string) => {
  const result = await archive.query(sql)
  if ('refused' in result) throw new Error(result.refused)
  return result as QueryResult
}

test('all records are counted, and 500 of them are shown', async () => {
  expect(await rows('select count(*) as n, max(lsn) is null as none, null as nothing from archive')).toMatchObject({
    columns: [
      { name: 'n', type: 'UInt64' },
      { name: 'none', type: 'UInt8' },
      { name: 'nothing', type: 'Nullable(Nothing)' },
    ],
    rows: [[String(records), '0', null]],
    isCut: false,
  })
  const all = await rows('select topic, kafka_partition, kafka_offset from archive order by all')
  expect([all.rows.length, all.isCut]).toEqual([500, true])
  expect((await rows('select kafka_offset from archive order by 1 limit 3')).isCut).toBe(false)
})

test.each([
  ['a wrong query', 'select no_such_column from archive', /no_such_column/],
  ['a change of a setting', 'set max_execution_time = 0', /readonly/i],
  ['a setting of a query', 'select 1 settings readonly = 0', /readonly/i],
  ['a new table', 'create table x (a Int8) engine = Memory', /readonly/i],
  ['a dropped view', 'drop view archive', /readonly/i],
  ['a file of this machine', `select * from file('/etc/passwd', 'LineAsString')`, /readonly|access|denied|allowed/i],
  ['a URL', `select * from url('http://127.0.0.1:1/', 'LineAsString')`, /readonly|access|denied|allowed/i],
])('%s is refused', async (_, sql, reason) => {
  expect(await archive.query(sql)).toMatchObject({ refused: expect.stringMatching(reason) })
})

test('no query writes a file', async () => {
  const path = join(tmpdir(), `tidemark-query-${process.pid}`)
  await archive.query(`select 1 into outfile '${path}'`)
  await archive.query(`insert into function file('${path}', 'TSV', 'a Int8') select 1`)

  await expect(access(path)).rejects.toThrow('ENOENT')
})

test('a query that takes too long ends, and the next one is answered', async () => {
  const slow = await archive.query('select count() from numbers(1000000000000) where sipHash64(number) = 1')
  expect(slow).toMatchObject({ refused: expect.stringMatching(/longer|[Tt]imeout/) })

  expect((await rows('select 1')).rows).toEqual([['1']])
}, 120_000)
