import type { MSKRecord } from 'aws-lambda'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import { readScannedFile, type ScannedRecord, scanArchive } from '#adapters/iceberg/archive/archive-scan.ts'
import { asCommitter } from '#adapters/postgres/archive/archive-ledger.ts'
import { makeArchiveProgress } from '#adapters/postgres/archive/archive-progress.ts'
import { makeTableLedger } from '#adapters/postgres/archive/archive-table-ledger.ts'
import { makeDelivery } from '#test-support/archive/archive-run.ts'
import { anyRecord, delivered, hostileRecords } from '#test-support/archive/hostile-records.ts'
import { makeMemoryCatalog } from '#test-support/archive/memory-catalog.ts'
import { makeMemoryStore } from '#test-support/archive/memory-store.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { hostileChanges } from '#test-support/hostile/hostile-records.ts'
import { makeCommitArchive } from '../commit-archive/commit-archive.ts'

const seed = Number(process.env['TIDEMARK_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const runs = Number(process.env['TIDEMARK_RUNS'] ?? 12)
const place = { catalog: 's3tables', warehouse: 'memory', namespace: 'tidemark_test', location: '' } as const

let database: TestDatabase
let archive: ReturnType<typeof makeArchive>

beforeAll(async () => {
  database = await createDatabase('target')
  archive = makeArchive()
})
afterEach(async () => {
  await database.pool.query(
    'truncate tidemark.progress, tidemark.archive_table, tidemark.archive_stream, tidemark.archive_commit cascade',
  )
  archive = makeArchive()
})
afterAll(async () => {
  await database?.drop()
})

/** Both functions of the archive, with a ledger in Postgres, and a catalog and a store in memory. */
function makeArchive() {
  const { pool } = database
  const [store, catalog] = [makeMemoryStore(), makeMemoryCatalog()]
  const tools = { store, now: Date.now, print: () => undefined, commit: { afterMs: 0, afterBytes: 0 } }
  const openTable = () => openArchiveTable(catalog, place, makeTableLedger(pool))
  const take = makeDelivery({
    ...tools,
    topics: new Map([
      ['changes', 'contiguous'],
      ['user-events', 'sparse'],
    ]),
    progress: makeArchiveProgress(pool),
    location: async () => (await openTable()).metadata.location,
    requestCommit: async () => undefined,
  })
  const commitArchive = makeCommitArchive({
    ...{ ...tools, catalog, openTable, table: { namespace: place.namespace, name: 'changes' } },
    pause: async () => undefined,
    removeSpent: store.remove,
    asCommitter: (work) => asCommitter(pool, work),
  })
  return {
    take,
    /** Commits the records that wait, and returns all records of the table. */
    async commit(): Promise<ScannedRecord[]> {
      await commitArchive({}, Date.now() + 60_000)
      const found: ScannedRecord[] = []
      const { files } = await scanArchive(store, catalog.table()!)
      for (const file of files) for await (const portion of readScannedFile(store, file)) found.push(...portion)
      return found.sort((a, b) => a.topic.localeCompare(b.topic) || a.offset - b.offset)
    },
  }
}

/** A record of the archive with its bytes, as it was delivered. */
function asDelivered({ topic, topicPartition, offset, timestampMs, key, value, headers, encoding }: ScannedRecord) {
  const base64 = (text: string | null) => text && (encoding === 'base64' ? text : Buffer.from(text).toString('base64'))
  const pairs = JSON.parse(headers ?? '[]') as [string, string | { base64: string }][]
  return {
    ...{ topic, partition: topicPartition, offset, timestamp: timestampMs, timestampType: 'CREATE_TIME' },
    ...(key === null ? {} : { key: base64(key) }),
    ...(value === null ? {} : { value: base64(value) }),
    headers: pairs.map(([name, of]) => {
      const bytes = typeof of === 'string' ? Buffer.from(of) : Buffer.from(of.base64, 'base64')
      return Object.fromEntries([[name, [...new Int8Array(bytes)]]])
    }),
  }
}

test.each(hostileRecords)('$name is archived as it came, and so is the record behind it', async (hostile) => {
  const records = [delivered(hostile, 'changes', 0), delivered({}, 'changes', 1)]

  await archive.take(records)

  expect((await archive.commit()).map(asDelivered)).toEqual(records)
})

test('all of them in one event are archived as they came, once each', async () => {
  const records = ['changes', 'user-events'].flatMap((topic) =>
    hostileRecords.map((hostile, offset) => delivered(hostile, topic, offset)),
  )

  await archive.take(records)
  await archive.take(records)

  expect((await archive.commit()).map(asDelivered)).toEqual(records)
})

test('what stops or is quarantined where it is applied is archived as it came', async () => {
  const records = hostileChanges().map(({ value = null, headers }, offset) => {
    const made = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)] as const)
    return delivered({ value, headers: made }, 'changes', offset)
  })

  await archive.take(records)

  expect((await archive.commit()).map(asDelivered)).toEqual(records)
})

test('after a rebase, records that are missing in a topic are passed, and each of the others is archived once', async () => {
  const records = [0, 1, 2, 5, 6].map((offset) => delivered({}, 'changes', offset))

  await expect(archive.take(records)).rejects.toThrow('records 3 to 4 are missing')
  await database.pool.query(`select tidemark.rebase('tidemark-archive', 'changes', 0, 5)`)
  // A delivery that is on its way may begin before the offset at which the archive goes on.
  await archive.take(records)

  expect((await archive.commit()).map(({ offset }) => offset)).toEqual([0, 1, 2, 5, 6])
})

test(`any records are archived as they came (TIDEMARK_SEED=${seed})`, { timeout: 120_000 }, async () => {
  const batches = fc.array(fc.array(anyRecord, { minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 3 })
  let offset = 0
  const sent: MSKRecord[] = []

  await fc.assert(
    fc.asyncProperty(batches, async (made) => {
      for (const batch of made) {
        const records = batch.map((each) => delivered(each, 'changes', offset++))
        sent.push(...records)
        await archive.take(records)
      }

      const rows = await archive.commit()

      expect(rows.slice(-120).map(asDelivered)).toEqual(sent.slice(-120))
      expect(rows).toHaveLength(sent.length)
    }),
    // Batches are not shrunk, because a smaller one would be delivered after those before it. The failing one is
    // printed.
    { seed, numRuns: runs, endOnFailure: true },
  )
})
