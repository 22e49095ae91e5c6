import { afterAll, beforeAll, expect, test } from 'vitest'
import { archiveNamespace, makeArchiveFunctions } from '#test-support/archive-readers/archive-functions.ts'
import { madeEvents } from '#test-support/archive-readers/made-topics.ts'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { localArchive } from '#verify/archive/archive-access.ts'
import { makeArchiveReader } from './archive-view.ts'

let servers: ArchiveServers
let database: TestDatabase
beforeAll(async () => {
  servers = await startArchiveServers()
  database = await createDatabase('target')
}, 120_000)
afterAll(async () => {
  await database?.drop()
  await servers?.stop()
})

test('snapshots and files of the archive are those of its catalog, and each manifest is read once', async () => {
  const { catalogEndpoint, s3Endpoint, key } = servers
  const warehouse = 'arn:aws:s3tables:us-east-1:000000000000:bucket/tidemark-local'
  const functions = makeArchiveFunctions({ ...servers, warehouse, credentials: key, token: key.token }, database.pool)
  const endpoints = { catalog: catalogEndpoint, objectStore: s3Endpoint, key }
  const { catalog, table, store } = localArchive(endpoints, archiveNamespace, warehouse)
  let reads = 0
  const get = (url: string) => {
    reads++
    return store.get(url)
  }
  let loads = 0
  let clock = 0
  const loadTable: typeof catalog.loadTable = (name) => {
    loads++
    return catalog.loadTable(name)
  }
  const read = makeArchiveReader({ catalog: { loadTable }, table, store: { get }, now: () => clock })
  const readLater = async (version: unknown) => {
    clock += 10_000
    return await read(version)
  }
  const name = `${table.namespace}.${table.name}`
  expect(await readLater(0)).toEqual({ table: name, location: '', snapshots: [], files: [] })

  let records = 0
  const archive = async ({ event, expected }: (typeof events)[number]) => {
    await functions.archive(event)
    await functions.commit()
    records += expected.length
  }
  const events = [...madeEvents(2_000)]
  const last = events.pop()!
  for (const each of events) await archive(each)
  const { location, snapshots, files } = await readLater(1)

  expect(location).toMatch(/^s3:\/\//)
  expect(snapshots[0]).toMatchObject({ operation: 'append', totalRecords: String(records) })
  expect(snapshots.map(({ at }) => at)).toEqual(
    snapshots
      .map(({ at }) => at)
      .toSorted()
      .reverse(),
  )
  expect(files.reduce((sum, file) => sum + file.records, 0)).toBe(records)
  expect(files.map(({ bytes }) => bytes)).toEqual(files.map(({ bytes }) => bytes).toSorted((a, b) => b - a))
  expect(files[0]!.partition).toMatch(/^kafka_ts_day=\d{4}-\d\d-\d\d$/)
  const before = [reads, loads]
  await read(2)
  expect([reads, loads]).toEqual(before)
  await readLater(2)
  expect([reads, loads]).toEqual([before[0], before[1]! + 1])

  await archive(last)
  const later = await readLater(3)
  expect(later.files.reduce((sum, file) => sum + file.records, 0)).toBe(records)
  // The list of the manifests, and the manifest of this commit.
  expect(reads).toBe(before[0]! + 2)
})
