import { setTimeout as pause } from 'node:timers/promises'
import type { MSKRecord } from 'aws-lambda'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type ArchivePlace, archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { archivePartitionSpec, archiveProperties, archiveSchema } from '#adapters/iceberg/archive/archive-table.ts'
import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import type { RestCatalog } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { asRecoverer } from '#adapters/postgres/archive/archive-ledger.ts'
import { advanceArchive } from '#adapters/postgres/archive/archive-progress.ts'
import { noteRange } from '#adapters/postgres/archive/archived-ranges.ts'
import { removeOrphans } from '#lambdas/maintain-archive/remove-orphans.ts'
import { type ArchiveRun, makeArchiveRun } from '#test-support/archive/archive-run.ts'
import { readArchivedRows } from '#test-support/archive/archived-rows.ts'
import { backUpLedger } from '#test-support/archive/ledger-backup.ts'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { eventually } from '#test-support/eventually.ts'
import { checkArchive, isWhole, type RecoveryReport, recoverArchive } from './recover-archive.ts'
import type { RecoveryStep } from './recovery-plan.ts'
import type { RecoveryTools } from './recovery-tools.ts'
import { isIn } from './table-place.ts'

let servers: ArchiveServers
let database: TestDatabase
/** A pool with the role of commit-archive. */
let asArchive: pg.Pool
let run: ArchiveRun
let number = 0

const place = (): ArchivePlace => ({
  ...{ catalog: 's3tables', warehouse: 'arn', namespace: `recovery_${number}`, location: '' },
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
  asArchive = lastingPool({ connectionString: database.url, options: '-c role=tidemark_archive', max: 1 })
  run = makeArchiveRun(servers, database.pool, place())
})
afterEach(async () => {
  await asArchive.end()
  await database.drop()
})

const record = (offset: number, topicPartition = 0): MSKRecord => ({
  ...{ topic: 'changes', partition: topicPartition, offset, timestampType: 'CREATE_TIME', headers: [] },
  timestamp: 1_795_201_857_603 + offset,
  key: Buffer.from(`{"id":${offset}}`).toString('base64'),
  value: Buffer.from(`{"n":${offset}}`).toString('base64'),
})
const records = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => record(from + i))
const upTo = (count: number) => Array.from({ length: count }, (_, offset) => offset)

async function archiveAndCommit(from: number, to: number): Promise<void> {
  await run.archive(records(from, to))
  await run.commit()
}

const table = () => archiveTableName(run.place)
const loaded = async () => (await run.catalog.loadTable(table()))!
const archivedOffsets = async () =>
  (await readArchivedRows(run.store, (await loaded()).metadata))
    .map((row) => Number(row['kafka_offset']))
    .sort((a, b) => a - b)

type Ledger = RecoveryTools['ledger']

const withTools = <T>(
  work: (tools: RecoveryTools) => Promise<T>,
  catalog: Partial<RestCatalog> = {},
  changed: (ledger: Ledger) => Partial<Ledger> = () => ({}),
) =>
  asRecoverer<DataFileMetrics, T>(
    asArchive,
    (ledger) =>
      work({
        ...{ place: run.place, store: run.store, now: Date.now, pause, onProgress: () => undefined },
        catalog: { ...run.catalog, ...catalog },
        ledger: { ...ledger, ...changed(ledger) },
      }),
    10_000,
  ) as Promise<T>

const recover = (
  catalog: Partial<RestCatalog> = {},
  ledger?: (ledger: Ledger) => Partial<Ledger>,
): Promise<RecoveryReport & { kinds: string[] }> => {
  const kinds: string[] = []
  const agree = async ({ kind }: RecoveryStep) => {
    kinds.push(kind)
    return true
  }
  return withTools(async (tools) => ({ ...(await recoverArchive(tools, agree)), kinds }), catalog, ledger)
}

const check = async () => (await withTools(checkArchive))!

async function dropTable({ namespace, name } = table()): Promise<void> {
  const url = `${servers.catalogEndpoint}/v1/namespaces/${namespace}/tables/${name}`
  const answer = await fetch(url, { method: 'DELETE', headers: { authorization: `Bearer ${servers.key.token}` } })
  expect(answer.status).toBe(204)
}

const list = async (prefix: string) => {
  const found: string[] = []
  for await (const page of run.store.list(prefix)) found.push(...page.map(({ url }) => url))
  return found
}
const problems = async () => (await database.pool.query('select kind from tidemark.archive_problem')).rows

/** Archives and commits, and expects each record in the table once. */
async function expectToGoOn(from: number, to: number, expected = upTo(to)): Promise<void> {
  await archiveAndCommit(from, to)
  expect(await archivedOffsets()).toEqual(expected)
  expect(await problems()).toEqual([])
}

test('an archive that is as it should be is left as it is, and checked', async () => {
  await archiveAndCommit(0, 3)

  const report = await recover()

  expect(report).toMatchObject({ done: true, steps: [], check: { records: 3, missing: [], twice: [], gone: [] } })
})

test('before anything was archived there is nothing to recover', async () => {
  expect(await recover()).toEqual({ done: true, steps: [], check: null, kinds: [] })
  expect(await run.catalog.loadTable(table())).toBeUndefined()
})

test.each([
  ['in its namespace', () => table().namespace],
  ['in another one', () => `${table().namespace}_elsewhere`],
])('a table that was renamed is found %s and renamed back', async (_, namespace) => {
  await archiveAndCommit(0, 3)
  await run.archive(records(3, 5))
  await run.catalog.createNamespace(namespace())
  await run.catalog.renameTable(table(), { namespace: namespace(), name: 'old' })
  await expect(run.commit()).rejects.toThrow('is not in the catalog')

  const { kinds, check: found } = await recover()

  expect(kinds).toEqual(['rename'])
  expect(isWhole(found!)).toBe(true)
  await expectToGoOn(5, 7)
})

test('nothing is done that was not agreed to', async () => {
  await archiveAndCommit(0, 3)
  await run.catalog.renameTable(table(), { ...table(), name: 'old' })

  const report = await withTools((tools) => recoverArchive(tools, async () => false))

  expect(report).toEqual({
    done: false,
    check: null,
    steps: [
      {
        happened: `the archive table ${table().namespace}.changes was renamed to ${table().namespace}.old`,
        does: `renames ${table().namespace}.old back to ${table().namespace}.changes`,
      },
    ],
  })
  expect(await run.catalog.loadTable(table())).toBeUndefined()
})

test('a ledger of before tables were noted finds its table, also where an empty one of the archive has the name', async () => {
  await archiveAndCommit(0, 3)
  await database.pool.query('delete from tidemark.archive_table')
  await run.catalog.renameTable(table(), { ...table(), name: 'old' })
  const empty = { schema: archiveSchema, 'partition-spec': archivePartitionSpec, properties: archiveProperties }
  await run.catalog.createTable(table(), empty)
  await expect(run.archive(records(3, 5))).rejects.toThrow('has 0 commits, the ledger')

  const { kinds } = await recover()

  expect(kinds).toEqual(['rename'])
  await expectToGoOn(3, 5)
})

test('another table that has the name is moved aside, never dropped', async () => {
  await archiveAndCommit(0, 3)
  await run.catalog.renameTable(table(), { ...table(), name: 'old' })
  const other = { schema: archiveSchema, 'partition-spec': archivePartitionSpec }
  await run.catalog.createTable(table(), other)

  await recover()

  const names = (await run.catalog.listTables(table().namespace)).map(({ name }) => name).sort()
  expect(names).toEqual(['changes', expect.stringMatching(/^changes_aside_\d{14}$/)])
  await expectToGoOn(3, 5)
})

test('for a catalog that cannot rename, the error has the calls that do it', async () => {
  await archiveAndCommit(0, 3)
  await run.catalog.renameTable(table(), { ...table(), name: 'old' })
  const { metadataLocation } = (await run.catalog.loadTable({ ...table(), name: 'old' }))!

  const recovered = recover({ renameTable: async () => 'unsupported' })

  await expect(recovered).rejects.toThrow(`aws glue create-table --database-name ${table().namespace}`)
  await expect(recovered).rejects.toThrow(`"metadata_location":"${metadataLocation}"`)
  await expect(recovered).rejects.toThrow(`aws glue delete-table --database-name ${table().namespace} --name old`)
})

test('a table that was dropped, and whose files are there, is put back with its uuid', async () => {
  await archiveAndCommit(0, 3)
  await archiveAndCommit(3, 5)
  const { metadata } = await loaded()
  await dropTable()

  const { kinds } = await recover()

  expect(kinds).toEqual(['register'])
  expect((await loaded()).metadata['table-uuid']).toBe(metadata['table-uuid'])
  await expectToGoOn(5, 7)
})

test('where a catalog takes no metadata, a new table has every data file that is there, once', async () => {
  await archiveAndCommit(0, 3)
  await archiveAndCommit(3, 5)
  await run.archive(records(5, 6))
  const { metadata } = await loaded()
  await dropTable()

  const { kinds, check: found } = await recover({ registerTable: async () => 'unsupported' })

  expect(kinds).toEqual(['register'])
  expect((await loaded()).metadata['table-uuid']).not.toBe(metadata['table-uuid'])
  expect(found).toMatchObject({ records: 5, missing: [], twice: [], gone: [] })
  await expectToGoOn(6, 8)
})

test('a commit that was made and not noted as such is in a new table once', async () => {
  await archiveAndCommit(0, 3)
  await archiveAndCommit(3, 5)
  await database.pool.query('update tidemark.archive_commit set committed_at = null where number = 2')
  await dropTable()

  await recover({ registerTable: async () => 'unsupported' })

  await expectToGoOn(5, 7)
})

test('a recovery that is interrupted at any step goes on when it is run again', async () => {
  await archiveAndCommit(0, 3)
  await dropTable()
  const unsupported = { registerTable: async () => 'unsupported' as const }
  const lost = async () => {
    throw new Error('interrupted')
  }
  await expect(recover({ ...unsupported, createTable: lost })).rejects.toThrow('interrupted')
  await expect(recover({ ...unsupported, commit: lost })).rejects.toThrow('interrupted')
  // The commit is made, but its answer is lost and the run ends.
  const afterCommit: Partial<RestCatalog> = {
    commit: async (...commit) => {
      await run.catalog.commit(...commit)
      throw new Error('interrupted')
    },
  }
  await expect(recover({ ...unsupported, ...afterCommit })).rejects.toThrow('interrupted')

  await recover(unsupported)

  expect(await run.catalog.listTables(table().namespace)).toEqual([table()])
  await expectToGoOn(3, 5)
})

test('of a table whose files are gone with it, what the archive can no longer hold is said and noted', async () => {
  await archiveAndCommit(0, 3)
  await run.archive(records(3, 5))
  const { location } = (await loaded()).metadata
  await dropTable()
  const waiting = await database.pool.query('select path from tidemark.archive_file')
  const kept = new Set(waiting.rows.map(({ path }) => path))
  await run.store.remove((await list(`${location}/`)).filter((url) => !kept.has(url)))

  const { kinds, check: found } = await recover()

  expect(kinds).toEqual(['begin'])
  expect(found!.missing).toEqual([{ topic: 'changes', topicPartition: 0, spans: [{ from: 0, to: 3 }] }])
  await expectToGoOn(5, 7, [3, 4, 5, 6])
  const again = await check()
  expect(isWhole(again)).toBe(true)
  expect(again.lost).toEqual([{ topic: 'changes', topicPartition: 0, spans: [{ from: 0, to: 3 }] }])
})

test('data files that are gone with a dropped table are named, and the others are in the new one', async () => {
  await archiveAndCommit(0, 3)
  await archiveAndCommit(3, 5)
  await archiveAndCommit(5, 9)
  const { location } = (await loaded()).metadata
  await dropTable()
  const [gone] = (await list(`${location}/data/`)).filter((url) => url.includes('/changes-0-3-4-'))
  await run.store.remove([gone!])

  const { kinds, steps, check: found } = await recover({ registerTable: async () => 'unsupported' })

  expect(kinds).toEqual(['register'])

  expect(steps[0]!.does).toContain(`${gone} (2 records, offsets 3 to 4 of changes-0)`)
  expect(found!.missing).toEqual([{ topic: 'changes', topicPartition: 0, spans: [{ from: 3, to: 5 }] }])
  await expectToGoOn(9, 10, [0, 1, 2, 5, 6, 7, 8, 9])
})

test('data files that somebody deleted are named by the check, and taken out of the table by recovery', async () => {
  await archiveAndCommit(0, 3)
  await archiveAndCommit(3, 5)
  const [gone] = (await list(`${(await loaded()).metadata.location}/data/`)).filter((url) => url.includes('-3-4-'))
  await run.store.remove([gone!])

  const found = await check()
  expect(found.gone).toEqual([{ path: gone, holds: '2 records, offsets 3 to 4 of changes-0' }])
  expect(found.missing).toEqual([{ topic: 'changes', topicPartition: 0, spans: [{ from: 3, to: 5 }] }])
  expect(await problems()).toEqual([{ kind: 'data files' }])

  const { kinds } = await recover()

  expect(kinds).toEqual(['take out'])
  expect(isWhole(await check())).toBe(true)
  await expectToGoOn(5, 7, [0, 1, 2, 5, 6])
})

test('a data file that is gone before it was committed is named, and stops the others no more', async () => {
  await archiveAndCommit(0, 3)
  await run.archive(records(3, 5))
  await run.archive(records(5, 7))
  const [gone] = (await list(`${(await loaded()).metadata.location}/data/`)).filter((url) => url.includes('-3-4-'))
  await run.store.remove([gone!])
  await expect(run.commit()).rejects.toThrow(`${gone} is gone before it was committed`)
  expect(await problems()).toEqual([{ kind: 'waiting files' }])

  const { steps } = await recover()

  expect(steps[0]!.happened).toContain(`${gone} (2 records of offsets 3 to 4 of changes-0)`)
  await expectToGoOn(7, 8, [0, 1, 2, 5, 6, 7])
})

test('a data file that is alone in its commit is looked for as well, and a problem is over when it is back', async () => {
  await run.archive(records(0, 2))
  const [path] = await list(`${(await loaded()).metadata.location}/data/`)
  const bytes = (await run.store.get(path!))!
  await run.store.remove([path!])
  await expect(run.commit()).rejects.toThrow(`${path} is gone before it was committed`)

  await run.store.put(path!, bytes)

  await expectToGoOn(2, 3)
})

test('a target that was restored from an older backup takes over what the table holds, and nothing is twice', async () => {
  await archiveAndCommit(0, 3)
  const restore = await backUpLedger(database.pool)
  await archiveAndCommit(3, 5)
  await archiveAndCommit(5, 6)
  await restore()
  await expect(run.commit()).rejects.toThrow('has 3 commits, the ledger in the target has 1')

  const { kinds } = await recover()

  expect(kinds).toEqual(['adopt'])
  // These records are delivered again from before the backup, as after a reset of the consumer group.
  await run.archive(records(4, 6))
  await expectToGoOn(0, 9)
})

test('what a restored target archived again before anybody noticed is dropped, and what is new in it is kept', async () => {
  await archiveAndCommit(0, 3)
  const restore = await backUpLedger(database.pool)
  await archiveAndCommit(3, 5)
  await restore()
  // This process knows the table's location from before, and does not ask the catalog again.
  await run.archive(records(3, 4))
  await run.archive(records(4, 8))

  const { kinds } = await recover()

  expect(kinds).toEqual(['adopt'])
  await expectToGoOn(8, 9)
})

test('a target without any ledger takes over what the table holds', async () => {
  const restore = await backUpLedger(database.pool)
  await archiveAndCommit(0, 3)
  await archiveAndCommit(3, 5)
  await restore()
  run = makeArchiveRun(servers, database.pool, run.place)
  await expect(run.archive(records(0, 3))).rejects.toThrow('has 2 commits, the ledger in the target has 0')

  const { kinds } = await recover()

  expect(kinds).toEqual(['adopt'])
  await expectToGoOn(3, 7)
})

test('where another pipeline has made a commit of the same number, the ledger takes over what the table holds', async () => {
  await archiveAndCommit(0, 3)
  const fork = await backUpLedger(database.pool)
  await archiveAndCommit(3, 5)
  await fork()
  // The other pipeline has already prepared its own commit 2.
  await run.archive(records(3, 6))
  await database.pool.query(
    `with other as (
       insert into tidemark.archive_commit (number, snapshot_id, records, offsets) values (2, 7, 3, '{}') returning number
     )
     update tidemark.archive_range r set commit_number = other.number from other where r.commit_number is null`,
  )
  await expect(run.commit()).rejects.toThrow('commit 2 is not the same one in both')

  const { kinds } = await recover()

  expect(kinds).toEqual(['adopt'])
  await expectToGoOn(6, 8)
})

test('a table that was set back gets the commits between from its newer metadata', async () => {
  await archiveAndCommit(0, 3)
  const { metadataLocation: earlier } = await loaded()
  await archiveAndCommit(3, 5)
  await dropTable()
  await run.catalog.registerTable(table(), earlier)
  await run.archive(records(5, 6))
  await expect(run.commit()).rejects.toThrow('the table was restored to an earlier state')

  const { kinds } = await recover()

  expect(kinds).toEqual(['put back'])
  await expectToGoOn(6, 8)
})

test('another table under the name of an archive that never began is not touched', async () => {
  await run.catalog.createNamespace(table().namespace)
  const fields = archiveSchema.fields.map((field) => ({ ...field, name: `my_${field.name}` }))
  const other = { schema: { ...archiveSchema, fields }, 'partition-spec': archivePartitionSpec }
  await run.catalog.createTable(table(), other)

  await expect(recover()).rejects.toThrow('was not made by the archive')
  expect(await run.catalog.listTables(table().namespace)).toEqual([table()])
})

const event = (offset: number): MSKRecord => ({ ...record(offset), topic: 'user-events' })
/** Records of `changes` after the topic was made again: they are later, and have other values. */
const remade = (from: number, to: number): MSKRecord[] =>
  records(from, to).map((each) => ({
    ...each,
    timestamp: each.timestamp + 1_000_000,
    value: Buffer.from(`{"again":${each.offset}}`).toString('base64'),
  }))

const rowsOf = async (name = 'changes') => {
  const { metadata } = (await run.catalog.loadTable({ ...table(), name }))!
  const rows = await readArchivedRows(run.store, metadata)
  return rows.map((row) => `${row['topic']} ${row['kafka_offset']} ${row['value']}`).sort()
}
const FORMER_ROWS = ['changes 0 {"n":0}', 'changes 1 {"n":1}', 'changes 2 {"n":2}', 'user-events 0 {"n":0}'].concat(
  ...['user-events 2 {"n":2}', 'user-events 3 {"n":3}'],
)

/** Archives records of both topics, one of which still waits, and then replaces `changes` by another topic. */
async function replaceTopic(): Promise<void> {
  await run.archive([...records(0, 3), event(0), event(2)])
  await run.commit()
  await run.archive([event(3)])
  await expect(run.archive(remade(0, 2))).rejects.toThrow('the topic was re-created')
}

/** Does what recover-capture does once the ledger is new. */
async function setGroupsBack(): Promise<void> {
  await expect(run.archive(remade(0, 2))).rejects.toThrow('are not at the beginning of their topics yet')
  expect(await problems()).toEqual([{ kind: 'renewal' }])
  await database.pool.query('delete from tidemark.archive_renewal; delete from tidemark.archive_problem')
}

const formerNames = async () =>
  (await run.catalog.listTables(table().namespace)).map(({ name }) => name).filter((name) => name !== 'changes')

/** Expects the records of before in the former table, and each record of the topics once in the new one. */
async function expectToHaveBegunAgain(): Promise<void> {
  await setGroupsBack()
  await run.archive([...remade(0, 4), event(0), event(2)])
  await run.commit()
  await run.archive([...remade(2, 5), event(2), event(3), event(7)])
  await run.commit()
  const again = [0, 1, 2, 3, 4].map((offset) => `changes ${offset} {"again":${offset}}`)
  const events = [0, 2, 3, 7].map((offset) => `user-events ${offset} {"n":${offset}}`)
  expect(await rowsOf()).toEqual([...again, ...events])
  const [former, ...others] = await formerNames()
  expect(others).toEqual([])
  expect(former).toMatch(/^changes_until_\d{14}$/)
  expect(await rowsOf(former)).toEqual(FORMER_ROWS)
  expect(isWhole(await check())).toBe(true)
  expect(await problems()).toEqual([])
  expect(await recover()).toMatchObject({ done: true, steps: [], check: { missing: [], twice: [] } })
}

test('a topic that was made again: its archive begins again with a new table, and the former one stays', async () => {
  await replaceTopic()

  const { kinds, steps, next } = await recover()

  expect(kinds).toEqual(['begin again'])
  expect(steps[0]!.happened).toContain('a topic was deleted and made again, or its log was replaced (changes-0)')
  expect(steps[0]!.does).toMatch(/renames that table to \w+\.changes_until_\d{14}/)
  expect(next).toContain('npm run recover')
  await expectToHaveBegunAgain()
})

const interrupted = async () => {
  throw new Error('interrupted')
}
/** The work is done, but its answer is lost. */
const lost =
  <Args extends unknown[]>(work: (...args: Args) => Promise<unknown>) =>
  async (...args: Args): Promise<never> => {
    await work(...args)
    throw new Error('interrupted')
  }

test.each<[string, Partial<RestCatalog> | (() => Partial<RestCatalog>), ((ledger: Ledger) => Partial<Ledger>)?]>([
  ['before anything is done', {}, () => ({ beginRenewal: interrupted })],
  ['once nothing is archived any more', {}, (ledger) => ({ beginRenewal: lost(ledger.beginRenewal) })],
  ['before what waits is committed', { commit: interrupted }],
  ['once what waits is committed', () => ({ commit: lost(run.catalog.commit) })],
  ['before the table is renamed', { renameTable: interrupted }],
  ['once the table is renamed', () => ({ renameTable: lost(run.catalog.renameTable) })],
  ['before the new table is made', { createTable: interrupted }],
  ['once the new table is made', () => ({ createTable: lost(run.catalog.createTable) })],
  ['before the ledger is the new one', {}, () => ({ renew: interrupted })],
  ['once the ledger is the new one', {}, (ledger) => ({ renew: lost(ledger.renew) })],
])('to begin again, interrupted %s, goes on when it is run again', async (_, catalog, ledger) => {
  await replaceTopic()
  await expect(recover(typeof catalog === 'function' ? catalog() : catalog, ledger)).rejects.toThrow('interrupted')
  // The functions run in the meantime, and archive nothing.
  await expect(run.archive(remade(0, 2))).rejects.toThrow()
  await run.commit().catch(() => undefined)

  await recover()

  await expectToHaveBegunAgain()
})

test('a catalog that cannot rename is reported, and the archive begins again once somebody has renamed the table', async () => {
  await replaceTopic()
  const unsupported = { renameTable: async () => 'unsupported' as const }
  const refused = await recover(unsupported).catch((error: Error) => error.message)
  const [, name] = /--table-input '\{"Name":"(changes_until_\d{14})"/.exec(String(refused))!
  await run.catalog.renameTable(table(), { ...table(), name: name! })

  await recover(unsupported)

  await expectToHaveBegunAgain()
})

test('maintenance of the table that the archive has begun again with removes nothing of the former one', async () => {
  await replaceTopic()
  const before = (await loaded()).metadata.location
  const kept = await list(`${before}/`)
  await recover()
  await setGroupsBack()
  await run.archive([...remade(0, 2), event(0)])
  await run.commit()

  const swept = await removeOrphans(run.store, await loaded(), new Set(), Date.now() + 3_600_000)

  expect(swept.gone).toEqual([])
  expect(await list(`${before}/`)).toEqual(expect.arrayContaining(kept))
  expect(await rowsOf((await formerNames())[0])).toEqual(FORMER_ROWS)
  expect(await rowsOf()).toHaveLength(3)
})

test('records that were on their way to the former table are refused, and delivered again', async () => {
  await replaceTopic()
  const { location } = (await loaded()).metadata
  const late = { ...event(9), topicPartition: 0, timestampMs: 1, digest: () => 'late' }
  const file = { path: `${location}/data/late.parquet`, day: 0, records: 1, bytes: 1, metrics: {} }
  const key = { consumer: 'tidemark-archive', topic: 'user-events', topicPartition: 0 }
  const arrive = () => advanceArchive(database.pool, key, 'sparse', [late], [late], [file])
  await expect(recover({ createTable: interrupted })).rejects.toThrow('interrupted')
  await expect(arrive()).rejects.toThrow('has begun again with a new table')
  await recover()
  await expect(arrive()).rejects.toThrow('has begun again with a new table')
  await database.pool.query('delete from tidemark.archive_renewal')

  await expect(arrive()).rejects.toThrow('has begun again with a new table')

  const { rows } = await database.pool.query('select * from tidemark.archive_range')
  expect(rows).toEqual([])
})

test('where records are missing from a topic that is the same one, the archive keeps its table', async () => {
  await archiveAndCommit(0, 3)
  await expect(run.archive(records(5, 6))).rejects.toThrow('records 3 to 4 are missing')

  expect(await recover()).toMatchObject({ done: true, kinds: [] })
  expect(await formerNames()).toEqual([])
})

test('a table that is begun in place of one that had begun again, and is gone, is not at the place of the former one', async () => {
  await replaceTopic()
  const { location } = (await loaded()).metadata
  await recover()
  await setGroupsBack()
  await run.archive([...remade(0, 2), event(0)])
  await run.commit()
  const second = (await loaded()).metadata.location
  await dropTable()
  await run.store.remove(await list(`${second}/`))

  const { kinds } = await recover()

  expect(kinds).toEqual(['begin'])
  expect(isIn((await loaded()).metadata.location, location)).toBe(false)
  await removeOrphans(run.store, await loaded(), new Set(), Date.now() + 3_600_000)
  expect(await rowsOf((await formerNames())[0])).toEqual(FORMER_ROWS)
})

test('when the archive begins again, a transaction that is noting records is waited for', async () => {
  await replaceTopic()
  const client = await database.pool.connect()
  await client.query('begin')
  const key = { consumer: 'tidemark-archive', topic: 'user-events', topicPartition: 0 }
  await noteRange(client, key, { from: 4, to: 5, records: 1 }, [])

  const recovering = recover()
  await eventually(async () => {
    const { rows } = await database.pool.query(
      "select from pg_locks where not granted and relation = 'tidemark.archive_range'::regclass",
    )
    expect(rows).toHaveLength(1)
  })
  await client.query('rollback')
  client.release()
  await recovering

  await expectToHaveBegunAgain()
})
