import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { archiveTableName, findArchiveTable, openArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import { noteGoneFiles } from '#adapters/iceberg/archive/archive-survey.ts'
import { readManifests } from '#adapters/iceberg/catalog/commit-once.ts'
import { asCommitter } from '#adapters/postgres/archive/archive-ledger.ts'
import { advanceArchive } from '#adapters/postgres/archive/archive-progress.ts'
import { makeTableLedger } from '#adapters/postgres/archive/archive-table-ledger.ts'
import { makeDataFiles } from '#lambdas/archive-changes/data-files.ts'
import { makeCommitArchive } from '#lambdas/commit-archive/commit-archive.ts'
import { readArchivedRows } from '#test-support/archive/archived-rows.ts'
import { makeMemoryCatalog } from '#test-support/archive/memory-catalog.ts'
import { makeMemoryStore } from '#test-support/archive/memory-store.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeMaintainArchive } from './maintain-archive.ts'

const HOUR_MS = 3_600_000
const place = { catalog: 'glue', warehouse: 'w', namespace: 'tidemark_test', location: '' } as const
const table = archiveTableName(place)
const key = { consumer: 'tidemark-archive', topic: 'changes', topicPartition: 0 }

let database: TestDatabase
let clock: number
let store: ReturnType<typeof makeMemoryStore>
let catalog: ReturnType<typeof makeMemoryCatalog>

const tools = () => ({ catalog, table, store, now: () => clock, pause })

beforeEach(async () => {
  database = await createDatabase('target')
  clock = Date.UTC(2026, 10, 27)
  store = makeMemoryStore(() => clock)
  catalog = makeMemoryCatalog(() => clock)
})
afterEach(async () => {
  await database.drop()
})

async function archiveOne(offset: number): Promise<void> {
  const record = {
    ...{ topic: 'changes', topicPartition: 0, offset, timestampMs: clock, key: `k${offset}`, value: `{"n":${offset}}` },
    ...{ headers: null, encoding: null, digest: () => String(offset) },
  }
  const { metadata } = await openArchiveTable(catalog, place, makeTableLedger(database.pool))
  const files = makeDataFiles(metadata.location, [record], clock)
  for (const { path, content } of files) await store.put(path, content)
  await advanceArchive(database.pool, key, 'contiguous', [record], [record], files)
}

const commit = () =>
  makeCommitArchive({
    ...tools(),
    asCommitter: (work) => asCommitter(database.pool, work),
    removeSpent: store.remove,
    openTable: (ledger) => openArchiveTable(catalog, place, ledger, { isOnlyCommitter: true }),
    commit: { afterMs: 0, afterBytes: 0 },
    print: () => undefined,
  })({}, clock + HOUR_MS)

async function archiveAndCommit(from: number, to: number): Promise<void> {
  for (let offset = from; offset < to; offset++) {
    await archiveOne(offset)
    await commit()
    clock += 60_000
  }
}

const maintain = (orphans = false) =>
  makeMaintainArchive({
    ...tools(),
    inTurn: (work) => asCommitter(database.pool, work, 1_000),
    loadTable: (ledger = makeTableLedger(database.pool)) => findArchiveTable(catalog, place, ledger),
    noteGone: (gone) => noteGoneFiles(makeTableLedger(database.pool), gone),
    retention: { ms: HOUR_MS, least: 3, most: 20 },
    orphanAgeMs: 24 * HOUR_MS,
  })({ orphans })

const offsets = async () =>
  (await readArchivedRows(store, catalog.table()!)).map((row) => Number(row['kafka_offset'])).sort((a, b) => a - b)

const upTo = (count: number) => Array.from({ length: count }, (_, offset) => offset)

test('small manifests become one, and every row stays once, also with what is committed afterwards', async () => {
  await archiveAndCommit(0, 25)

  const summary = await maintain()
  await archiveAndCommit(25, 27)

  expect(summary.mergedManifests).toBe(25)
  expect(await readManifests(store, catalog.table()!)).toHaveLength(3)
  expect(await offsets()).toEqual(upTo(27))
})

test('table snapshots past their retention go with the files that only they have, and no row goes', async () => {
  await archiveAndCommit(0, 25)
  await maintain()
  clock += 2 * HOUR_MS
  await archiveAndCommit(25, 30)

  const { expiredSnapshots } = await maintain()

  const { snapshots } = catalog.table()!
  expect(expiredSnapshots).toBe(20)
  expect(snapshots.length).toBe(5)
  const lists = [...store.objects.keys()].filter((url) => url.includes('/snap-'))
  expect(lists.sort()).toEqual(snapshots.map((each) => each['manifest-list']).sort())
  expect(await offsets()).toEqual(upTo(30))
})

test('files that nobody names go once they are old, those that wait or are young stay', async () => {
  await archiveAndCommit(0, 2)
  await archiveOne(2)
  await store.put('s3://memory/changes/data/old-orphan.parquet', new Uint8Array(1))
  await store.put('s3://memory/changes/metadata/lost-commit.avro', new Uint8Array(1))
  clock += 25 * HOUR_MS
  await store.put('s3://memory/changes/data/young.parquet', new Uint8Array(1))

  const { removedOrphans } = await maintain(true)
  await commit()

  expect(removedOrphans).toBe(2)
  expect(store.objects.has('s3://memory/changes/data/young.parquet')).toBe(true)
  expect(await offsets()).toEqual(upTo(3))
})

test('a table that is not the one of the ledger is not maintained: the files of the other one may lie at its place', async () => {
  await archiveAndCommit(0, 2)
  clock += 25 * HOUR_MS
  await database.pool.query('update tidemark.archive_table set table_uuid = gen_random_uuid()')
  await store.put('s3://memory/changes/data/of-the-dropped-table.parquet', new Uint8Array(1))
  clock += 25 * HOUR_MS

  await expect(maintain(true)).rejects.toThrow('is another one than was archived to')

  expect(store.objects.has('s3://memory/changes/data/of-the-dropped-table.parquet')).toBe(true)
})

test('data files that somebody deleted are named, with what they held, until they are back', async () => {
  await archiveAndCommit(0, 3)
  const [path] = [...store.objects.keys()].filter((url) => url.includes('changes-0-1-1-'))
  const bytes = store.objects.get(path!)!
  await store.remove([path!])
  const problems = async () => (await database.pool.query('select kind, reason from tidemark.archive_problem')).rows

  expect(await maintain(true)).toMatchObject({ goneFiles: 1 })
  expect(await problems()).toEqual([
    { kind: 'data files', reason: expect.stringContaining(`${path} (1 records, offsets 1 to 1 of changes-0)`) },
  ])

  await store.put(path!, bytes)
  expect(await maintain(true)).toMatchObject({ goneFiles: 0 })
  expect(await problems()).toEqual([])
})

test('a run that the committer leaves no turn says so and changes nothing', async () => {
  await archiveAndCommit(0, 25)
  const before = catalog.table()

  const summary = await asCommitter(database.pool, () => maintain())

  expect(summary).toMatchObject({ busy: true, mergedManifests: 0 })
  expect(catalog.table()).toEqual(before)
})

test('a table that is not there yet is nothing to maintain', async () => {
  const nothing = { mergedManifests: 0, expiredSnapshots: 0, removedOrphans: 0, goneFiles: 0, busy: false }
  expect(await maintain(true)).toEqual(nothing)
})
