import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Chdb, openChdb } from '#localstack/archive-readers/chdb.ts'
import {
  type ArchiveFunctions,
  type ArchiveServices,
  makeArchiveFunctions,
} from '#test-support/archive-readers/archive-functions.ts'
import { madeEvents } from '#test-support/archive-readers/made-topics.ts'
import { findPython } from '#test-support/archive-readers/python-environment.ts'
import { openPythonReaders, type PythonReaders } from '#test-support/archive-readers/python-readers.ts'
import {
  clickHouseReader,
  duckDbReader,
  inspectWithPyIceberg,
  readWithPyIceberg,
} from '#test-support/archive-readers/readers.ts'
import { makeTallying, type Question, type Tallies } from '#test-support/archive-readers/tally.ts'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'

/** The default is smaller than a million, because a million records take minutes. */
const total = Number(process.env['TIDEMARK_ARCHIVE_RECORDS'] ?? 200_000)
/** There are more commits than maintenance leaves unmerged. */
const COMMITS = 24
/** The days of the records in UTC: two, that of records without a time, and the last possible one. */
const DAYS = 4
const python = await findPython()
if (!python.found) console.warn(`NOT TESTED: pyiceberg and DuckDB do not read the archive. ${python.reason}.`)

const middle = Math.floor((total * 0.9) / 8)
const questions: Question[] = [
  { where: () => 'true', holds: () => true },
  {
    where: () => `kafka_offset >= ${middle} and kafka_offset <= ${middle + 999}`,
    holds: ({ offset }) => offset >= middle && offset <= middle + 999,
  },
  { where: () => `table_name = 'public.注文'`, holds: ({ tableName }) => tableName === 'public.注文' },
  {
    where: (time) => `kafka_ts < ${time('2026-11-27T00:00:00Z')}`,
    holds: ({ timestampMs }) => timestampMs < Date.UTC(2026, 10, 27),
  },
  {
    where: () => `topic = 'changes' and kafka_partition = 2 and lsn >= ${26_000_000_000 + middle * 4} and op = 'd'`,
    holds: ({ topic, topicPartition, lsn, op }) =>
      topic === 'changes' && topicPartition === 2 && (lsn ?? 0) >= 26_000_000_000 + middle * 4 && op === 'd',
  },
]
let servers: ArchiveServers
let database: TestDatabase
let services: ArchiveServices
let functions: ArchiveFunctions
let chdb: Chdb
let readers: PythonReaders | undefined
let expected: Tallies[]

beforeAll(async () => {
  chdb = await openChdb({ onProgress: console.log })
  readers = python.found ? await openPythonReaders({ onProgress: console.log }) : undefined
  servers = await startArchiveServers()
  database = await createDatabase('target')
  services = {
    ...servers,
    warehouse: 'arn:aws:s3tables:us-east-1:000000000000:bucket/tidemark-local',
    credentials: servers.key,
    token: servers.key.token,
  }
  functions = makeArchiveFunctions(services, database.pool)
  expected = await archiveAll()
}, 1_200_000)
afterAll(async () => {
  chdb?.close()
  await database?.drop()
  await servers?.stop()
})

/** Archives all records. Returns the tallies that readers must find. */
async function archiveAll(): Promise<Tallies[]> {
  const tallying = makeTallying(questions)
  let archived = 0
  let commits = 0
  for (const { event, expected } of madeEvents(total)) {
    await functions.archive(event)
    for (const record of expected) tallying.add(record)
    archived += expected.length
    if (archived < ((commits + 1) * total) / COMMITS) continue
    await functions.commit()
    commits++
  }
  await functions.commit()
  return tallying.tallies()
}

const sum = (tallies: Tallies): number => Object.values(tallies).reduce((records, each) => records + each.records, 0)

function readersAgree(when: string): void {
  test(`ClickHouse reads exactly the records of the topics, ${when}`, async () => {
    const answers = await clickHouseReader(chdb, services)(questions)

    expect(answers).toEqual(expected)
  })

  test.skipIf(!python.found)(`DuckDB reads exactly the records of the topics, ${when}`, async () => {
    const answers = await duckDbReader(readers!, services)(questions)

    expect(answers).toEqual(expected)
  })

  test.skipIf(!python.found)(
    `pyiceberg reads exactly the records of the topics, and only the files it needs, ${when}`,
    async () => {
      const { answers, files } = await readWithPyIceberg(readers!, services, questions, { token: servers.key.token })

      expect(answers).toEqual(expected)
      const [all, ofOffsets, , ofOneDay] = files as [number, number, number, number]
      expect(all).toBeGreaterThan(COMMITS)
      expect(ofOffsets).toBeLessThan(all / 2)
      expect(ofOneDay).toBeLessThan(all / 2)
    },
  )

  test.skipIf(!python.found)(`pyiceberg inspects the table's metadata in every way that it has, ${when}`, async () => {
    const { rows, ...entries } = await inspectWithPyIceberg(readers!, services)

    const { metadata } = await functions.openTable()
    expect(rows).toMatchObject({
      ...{ snapshots: metadata.snapshots.length, refs: 1, delete_files: 0, all_delete_files: 0 },
      ...{ files: rows['entries'], data_files: rows['entries'], partitions: DAYS },
    })
    for (const name of ['history', 'manifests', 'all_manifests', 'metadata_log_entries', 'all_files']) {
      expect(rows[name], name).toBeGreaterThan(0)
    }
    expect(entries.records).toBe(total)
    expect(Object.values(entries.statuses).reduce((sum, count) => sum + count)).toBe(rows['entries'])
    expect(Object.keys(entries.statuses)).not.toContain('2')
    expect(entries.snapshots).toBeGreaterThanOrEqual(COMMITS)
  })
}

test('the records are of every kind, and no question is about all or none of them', () => {
  const [all, ...others] = expected.map(sum) as [number, ...number[]]

  expect(all).toBe(total)
  for (const found of others) {
    expect(found).toBeGreaterThan(0)
    expect(found).toBeLessThan(total)
  }
})

readersAgree('after many commits')

test('maintenance merges manifests, forgets all table snapshots but the last, and removes a file that nobody names', async () => {
  const { metadata } = await functions.openTable()
  const orphan = `${metadata.location}/data/orphan.parquet`
  await functions.store.put(orphan, new Uint8Array(1))

  const summary = await functions.maintain({ ms: 0, least: 1, most: 1 }, 0)

  expect(summary.mergedManifests).toBeGreaterThanOrEqual(COMMITS)
  expect(summary.expiredSnapshots).toBeGreaterThanOrEqual(COMMITS)
  expect(await functions.store.get(orphan)).toBeUndefined()
  expect((await functions.openTable()).metadata.snapshots).toHaveLength(1)
})

readersAgree('after maintenance')
