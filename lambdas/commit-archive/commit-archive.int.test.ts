import type { MSKRecord } from 'aws-lambda'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type ArchivePlace, archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { archivePartitionSpec, archiveSchema } from '#adapters/iceberg/archive/archive-table.ts'
import { readManifests } from '#adapters/iceberg/catalog/commit-once.ts'
import { newSnapshotId, prepareCommit } from '#adapters/iceberg/commit/commit.ts'
import { writeManifestList } from '#adapters/iceberg/table/manifest-list.ts'
import { currentSnapshot } from '#adapters/iceberg/table/table-metadata.ts'
import { ensureBucket } from '#localstack/servers/archive/object-store.ts'
import { type ArchiveRun, makeArchiveRun } from '#test-support/archive/archive-run.ts'
import { readArchivedRows } from '#test-support/archive/archived-rows.ts'
import { backUpLedger } from '#test-support/archive/ledger-backup.ts'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'

let servers: ArchiveServers
let database: TestDatabase
let run: ArchiveRun
let number = 0

const place = (location = ''): ArchivePlace => ({
  ...{ catalog: 's3tables', warehouse: 'arn', namespace: `tidemark_${number}` },
  location,
})

beforeAll(async () => {
  servers = await startArchiveServers()
})
afterAll(async () => {
  await servers?.stop()
})
beforeEach(async () => {
  number++
  database = await createDatabase('target')
  run = makeArchiveRun(servers, database.pool, place())
})
afterEach(async () => {
  await database.drop()
})

const record = (offset: number, partition = 0): MSKRecord => ({
  ...{ topic: 'changes', partition, offset, timestamp: 1_795_201_857_603, timestampType: 'CREATE_TIME', headers: [] },
  key: Buffer.from(`{"id":${offset}}`).toString('base64'),
  value: Buffer.from(`{"n":${offset}}`).toString('base64'),
})
const records = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => record(from + i))

async function archivedOffsets(): Promise<number[]> {
  const loaded = await run.catalog.loadTable(archiveTableName(run.place))
  const rows = await readArchivedRows(run.store, loaded!.metadata)
  return rows.map((row) => Number(row['kafka_offset'])).sort((a, b) => a - b)
}

const upTo = (count: number) => Array.from({ length: count }, (_, offset) => offset)

const nextOffset = async () => {
  const { rows } = await database.pool.query('select coalesce(max(next_offset), 0)::int as next from tidemark.progress')
  return rows[0].next
}

test('what is archived in many small files is committed in one for each day, and nothing is left beside it', async () => {
  for (let offset = 0; offset < 10; offset++) await run.archive([record(offset)])

  const summary = await run.commit()

  expect(summary).toMatchObject({ commits: 1, records: 10, files: 1, busy: false })
  expect(await archivedOffsets()).toEqual(upTo(10))
  const { metadata } = (await run.catalog.loadTable(archiveTableName(run.place)))!
  expect(currentSnapshot(metadata)!.summary).toMatchObject({
    ...{ operation: 'append', 'total-records': '10', 'total-data-files': '1', 'tidemark.commit-number': '1' },
    'tidemark.offsets': '{"changes":{"0":10}}',
  })
  const found: string[] = []
  for await (const page of run.store.list(`${metadata.location}/data/`)) found.push(...page.map(({ url }) => url))
  expect(found).toHaveLength(1)
  const status = await database.pool.query(
    'select committed_records::int, waiting_records::int from tidemark.archive_status',
  )
  expect(status.rows).toEqual([{ committed_records: 10, waiting_records: 0 }])
})

test('a catalog that is killed loses no commit, and the run after it goes on', async () => {
  await run.archive(records(0, 5))
  await run.commit()
  await run.archive(records(5, 8))

  const killed = servers.killAndRestart('iceberg-catalog')
  const during = run.commit().catch((error: Error) => error)
  await killed
  await during
  await run.commit()

  expect(await archivedOffsets()).toEqual(upTo(8))
})

test('while the catalog is away nothing is archived and nothing advances, and the error says what does not answer', async () => {
  const away = makeArchiveRun({ ...servers, catalogEndpoint: 'http://127.0.0.1:9/iceberg' }, database.pool, place())

  await expect(away.archive(records(0, 3))).rejects.toThrow('the catalog does not answer')
  expect(await nextOffset()).toBe(0)

  await run.archive(records(0, 3))
  await run.commit()
  expect(await archivedOffsets()).toEqual(upTo(3))
})

test('a bucket that is missing is named, nothing advances, and once it is there all goes on', async () => {
  const bucket = `late-${number}`
  run = makeArchiveRun(servers, database.pool, place(`s3://${bucket}/changes`))

  await expect(run.archive(records(0, 3))).rejects.toThrow(`could not be made at s3://${bucket}/changes`)
  expect(await nextOffset()).toBe(0)

  await ensureBucket(Number(new URL(servers.s3Endpoint).port), bucket, servers.key)
  await run.archive(records(0, 3))
  await run.commit()
  expect(await archivedOffsets()).toEqual(upTo(3))
})

test('a table that someone else made is left alone, and the error says what differs', async () => {
  const { namespace } = run.place
  await run.catalog.createNamespace(namespace)
  const other = {
    ...archiveSchema,
    fields: archiveSchema.fields.map((field) => ({ ...field, name: `my_${field.name}` })),
  }
  await run.catalog.createTable(archiveTableName(run.place), { schema: other, 'partition-spec': archivePartitionSpec })

  await expect(run.archive(records(0, 3))).rejects.toThrow(
    `the table ${namespace}.changes was not made by the archive: field 1 is not table_name string`,
  )
  expect(await nextOffset()).toBe(0)
})

const problems = async () => {
  const { rows } = await database.pool.query('select kind, reason, command from tidemark.archive_problem')
  return rows
}
const table = () => archiveTableName(run.place)
const dropTable = async () => {
  const { namespace, name } = table()
  const url = `${servers.catalogEndpoint}/v1/namespaces/${namespace}/tables/${name}`
  const answer = await fetch(url, { method: 'DELETE', headers: { authorization: `Bearer ${servers.key.token}` } })
  expect(answer.status).toBe(204)
}

test('a table that somebody renamed is not created again: all waits, says why, and goes on once it is back', async () => {
  await run.archive(records(0, 3))
  await run.commit()
  await run.archive(records(3, 5))
  const elsewhere = { ...table(), name: 'old_changes' }
  await run.catalog.renameTable(table(), elsewhere)

  const reason = `the archive table ${table().namespace}.changes is not in the catalog: somebody renamed or dropped it`
  await expect(run.commit()).rejects.toThrow(reason)
  await expect(run.archive(records(5, 6))).rejects.toThrow(reason)

  expect(await run.catalog.loadTable(table())).toBeUndefined()
  expect(await nextOffset()).toBe(5)
  expect(await problems()).toEqual([
    { kind: 'table', reason: expect.stringContaining(reason), command: 'npm run archive -- recover' },
  ])
  await run.catalog.renameTable(elsewhere, table())
  await run.archive(records(5, 6))
  await run.commit()
  expect(await archivedOffsets()).toEqual(upTo(6))
  expect(await problems()).toEqual([])
})

test('a problem that is resolved by hand is over with the next run, also when nothing waits', async () => {
  await run.archive(records(0, 3))
  await run.commit()
  const elsewhere = { ...table(), name: 'old_changes' }
  await run.catalog.renameTable(table(), elsewhere)
  await expect(run.commit()).rejects.toThrow('is not in the catalog')
  await run.catalog.renameTable(elsewhere, table())

  await run.commit()

  expect(await problems()).toEqual([])
})

test('a table that was dropped is not created again, also by a process that starts afterwards', async () => {
  await run.archive(records(0, 3))
  await run.commit()
  await dropTable()

  run = makeArchiveRun(servers, database.pool, run.place)
  await expect(run.archive(records(3, 5))).rejects.toThrow('is not in the catalog')

  expect(await run.catalog.loadTable(table())).toBeUndefined()
  expect(await nextOffset()).toBe(3)
})

test('another table under the name of the archive is left alone, and nothing advances', async () => {
  await run.archive(records(0, 3))
  await run.commit()
  await dropTable()
  const definition = { schema: archiveSchema, 'partition-spec': archivePartitionSpec }
  await run.catalog.createTable(table(), definition)

  await expect(run.commit()).rejects.toThrow('is another one than was archived to')
  await expect(run.archive(records(3, 5))).rejects.toThrow('is another one than was archived to')

  expect(await archivedOffsets()).toEqual([])
  expect(await nextOffset()).toBe(3)
})

test('a ledger of before tables were noted takes the table that its commits are in', async () => {
  await run.archive(records(0, 3))
  await run.commit()
  await database.pool.query('delete from tidemark.archive_table')

  await run.archive(records(3, 5))
  await run.commit()

  const { metadata } = (await run.catalog.loadTable(table()))!
  const bound = await database.pool.query('select table_uuid, location from tidemark.archive_table')
  expect(bound.rows).toEqual([{ table_uuid: metadata['table-uuid'], location: metadata.location }])
  expect(await archivedOffsets()).toEqual(upTo(5))
})

test('an old ledger without a noted table, whose table is gone, creates no table', async () => {
  await run.archive(records(0, 3))
  await run.commit()
  await database.pool.query('delete from tidemark.archive_table')
  await dropTable()

  await expect(run.archive(records(3, 5))).rejects.toThrow('is not in the catalog')
  expect(await run.catalog.loadTable(table())).toBeUndefined()
})

test('a target that was restored from an older backup archives nothing twice: all waits and says why', async () => {
  await run.archive(records(0, 3))
  await run.commit()
  const restore = await backUpLedger(database.pool)
  await run.archive(records(3, 5))
  await run.commit()
  await restore()
  run = makeArchiveRun(servers, database.pool, run.place)

  const reason = 'has 2 commits, the ledger in the target has 1: the target was restored from an older backup'
  await expect(run.archive(records(3, 8))).rejects.toThrow(reason)
  await expect(run.commit()).rejects.toThrow(reason)

  expect(await nextOffset()).toBe(3)
  expect(await problems()).toMatchObject([{ kind: 'table', reason: expect.stringContaining(reason) }])
  expect(await archivedOffsets()).toEqual(upTo(5))
})

test('a target without any ledger does not take a table that has commits', async () => {
  await run.archive(records(0, 3))
  await run.commit()
  await database.pool.query('truncate tidemark.archive_table, tidemark.archive_commit, tidemark.progress cascade')

  await expect(run.archive(records(0, 3))).rejects.toThrow('has 1 commits, the ledger in the target has 0')
  expect(await archivedOffsets()).toEqual(upTo(3))
})

test('a table that was restored to an earlier state stops the committer', async () => {
  await run.archive(records(0, 3))
  await run.commit()
  await database.pool.query(
    'insert into tidemark.archive_commit select number + 1, 7, 0, offsets, now(), now() from tidemark.archive_commit',
  )
  await run.archive(records(3, 5))

  await expect(run.commit()).rejects.toThrow('the table was restored to an earlier state')
  expect(await archivedOffsets()).toEqual(upTo(3))
})

test('a storm of other commits is outlasted, and no row comes twice', async () => {
  await run.archive(records(0, 5))
  await run.commit()
  await run.archive(records(5, 9))
  let storming = true
  const storm = (async () => {
    let commits = 0
    for (; storming; commits++) await commitNothing()
    return commits
  })()

  const summary = await run.commit()
  storming = false

  expect(summary.commits).toBe(1)
  expect(await storm).toBeGreaterThan(0)
  expect(await archivedOffsets()).toEqual(upTo(9))
})

const statusOf = async (topicPartition: number) => {
  const { rows } = await database.pool.query(
    `select waiting_records::int as waiting, not_taken_records::int as "notTaken", failure,
       (extract(epoch from now() - uncommitted_since) / 60)::int as minutes
     from tidemark.archive_status where topic_partition = $1`,
    [topicPartition],
  )
  return rows[0]
}

test('an archive that cannot take records has an age and a reason, until they are committed', async () => {
  const away = makeArchiveRun({ ...servers, s3Endpoint: 'http://127.0.0.1:9' }, database.pool, place())
  await run.archive([record(0, 1)])
  await expect(away.archive(records(0, 3))).rejects.toThrow()
  await database.pool.query("update tidemark.stop set first_seen_at = now() - interval '10 minutes'")

  await run.commit()

  expect(await statusOf(0)).toMatchObject({ failure: expect.stringContaining('ECONNREFUSED'), minutes: 10 })
  expect(run.metrics()['OldestUncommittedSeconds']).toBeGreaterThanOrEqual(600)
  expect(await statusOf(1)).toMatchObject({ failure: null, minutes: null })

  await run.archive(records(0, 3))
  await run.commit()

  expect(await statusOf(0)).toEqual({ waiting: 0, notTaken: 0, failure: null, minutes: null })
  expect(run.metrics()['OldestUncommittedSeconds']).toBe(0)
})

test('records that are applied and were never archived count, however long the archive has not run', async () => {
  await run.archive(records(0, 2))
  await run.commit()
  await database.pool.query(`
    insert into tidemark.progress (consumer, topic, topic_partition, next_offset, began_at)
    values ('tidemark-latest-state', 'changes', 0, 5, now() - interval '1 day'),
      ('tidemark-latest-state', 'changes', 1, 7, now() - interval '20 minutes');
    update tidemark.progress set applied_at = now() - interval '5 minutes' where consumer = 'tidemark-archive'`)

  await run.commit()

  expect(await statusOf(0)).toEqual({ waiting: 0, notTaken: 3, failure: null, minutes: 5 })
  expect(await statusOf(1)).toEqual({ waiting: 0, notTaken: 7, failure: null, minutes: 20 })
  expect(run.metrics()['OldestUncommittedSeconds']).toBeGreaterThanOrEqual(1200)
})

/** Commits a table snapshot with the same files, as a compaction does. */
async function commitNothing(): Promise<void> {
  const table = archiveTableName(run.place)
  const { metadata } = (await run.catalog.loadTable(table))!
  const existing = await readManifests(run.store, metadata)
  const snapshotId = newSnapshotId()
  const manifestListPath = `${metadata.location}/metadata/storm-${snapshotId}.avro`
  const { 'total-records': records, ...totals } = currentSnapshot(metadata)!.summary
  const input = { metadata, snapshotId, manifestListPath, existingManifests: existing, timestampMs: Date.now() }
  const commit = prepareCommit(input, [], existing, { ...totals, 'total-records': records!, operation: 'replace' })
  const list = {
    ...{ snapshotId, sequenceNumber: commit.snapshot['sequence-number'], manifests: commit.manifests },
    parentSnapshotId: commit.snapshot['parent-snapshot-id'],
  }
  await run.store.put(manifestListPath, writeManifestList(list))
  await run.catalog.commit(table, commit)
}
