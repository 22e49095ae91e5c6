import type { MSKRecord } from 'aws-lambda'
import { expect, test } from 'vitest'
import type { RestCatalog } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { advanceArchive } from '#adapters/postgres/archive/archive-progress.ts'
import { noteRange } from '#adapters/postgres/archive/archived-ranges.ts'
import { removeOrphans } from '#lambdas/maintain-archive/remove-orphans.ts'
import { readArchivedRows } from '#test-support/archive/archived-rows.ts'
import { type Ledger, record, records, useRecoverableArchive } from '#test-support/archive/recoverable-archive.ts'
import { eventually } from '#test-support/eventually.ts'
import { isWhole } from './recover-archive.ts'
import { isIn } from './table-place.ts'

const archive = useRecoverableArchive()
const { recover, check, archiveAndCommit, table, loaded, dropTable, list, problems } = archive

const event = (offset: number): MSKRecord => ({ ...record(offset), topic: 'user-events' })
/** Records of `changes` after the topic was created again: they are later, and have other values. */
const remade = (from: number, to: number): MSKRecord[] =>
  records(from, to).map((each) => ({
    ...each,
    timestamp: each.timestamp + 1_000_000,
    value: Buffer.from(`{"again":${each.offset}}`).toString('base64'),
  }))

const rowsOf = async (name = 'changes') => {
  const { metadata } = (await archive.run.catalog.loadTable({ ...table(), name }))!
  const rows = await readArchivedRows(archive.run.store, metadata)
  return rows.map((row) => `${row['topic']} ${row['kafka_offset']} ${row['value']}`).sort()
}
const FORMER_ROWS = ['changes 0 {"n":0}', 'changes 1 {"n":1}', 'changes 2 {"n":2}', 'user-events 0 {"n":0}'].concat(
  ...['user-events 2 {"n":2}', 'user-events 3 {"n":3}'],
)

/** Archives records of both topics, one of which still waits, and then replaces `changes` by another topic. */
async function replaceTopic(): Promise<void> {
  await archive.run.archive([...records(0, 3), event(0), event(2)])
  await archive.run.commit()
  await archive.run.archive([event(3)])
  await expect(archive.run.archive(remade(0, 2))).rejects.toThrow('the topic was re-created')
}

/** Does what recover-capture does once the ledger is new. */
async function setGroupsBack(): Promise<void> {
  await expect(archive.run.archive(remade(0, 2))).rejects.toThrow('are not at the beginning of their topics yet')
  expect(await problems()).toEqual([{ kind: 'renewal' }])
  await archive.database.pool.query('delete from tidemark.archive_renewal; delete from tidemark.archive_problem')
}

const formerNames = async () =>
  (await archive.run.catalog.listTables(table().namespace)).map(({ name }) => name).filter((name) => name !== 'changes')

/** Expects the records of before in the former table, and each record of the topics once in the new one. */
async function expectToHaveBegunAgain(): Promise<void> {
  await setGroupsBack()
  await archive.run.archive([...remade(0, 4), event(0), event(2)])
  await archive.run.commit()
  await archive.run.archive([...remade(2, 5), event(2), event(3), event(7)])
  await archive.run.commit()
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

test('a topic that was created again: its archive begins again with a new table, and the former one stays', async () => {
  await replaceTopic()

  const { kinds, steps, next } = await recover()

  expect(kinds).toEqual(['begin again'])
  expect(steps[0]!.happened).toContain('a topic was deleted and created again, or its log was replaced (changes-0)')
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
  ['once what waits is committed', () => ({ commit: lost(archive.run.catalog.commit) })],
  ['before the table is renamed', { renameTable: interrupted }],
  ['once the table is renamed', () => ({ renameTable: lost(archive.run.catalog.renameTable) })],
  ['before the new table is made', { createTable: interrupted }],
  ['once the new table is made', () => ({ createTable: lost(archive.run.catalog.createTable) })],
  ['before the ledger is the new one', {}, () => ({ renew: interrupted })],
  ['once the ledger is the new one', {}, (ledger) => ({ renew: lost(ledger.renew) })],
])('to begin again, interrupted %s, goes on when it is run again', async (_, catalog, ledger) => {
  await replaceTopic()
  await expect(recover(typeof catalog === 'function' ? catalog() : catalog, ledger)).rejects.toThrow('interrupted')
  // The functions run in the meantime, and archive nothing.
  await expect(archive.run.archive(remade(0, 2))).rejects.toThrow()
  await archive.run.commit().catch(() => undefined)

  await recover()

  await expectToHaveBegunAgain()
})

test('a catalog that cannot rename is reported, and the archive begins again once somebody has renamed the table', async () => {
  await replaceTopic()
  const unsupported = { renameTable: async () => 'unsupported' as const }
  const refused = await recover(unsupported).catch((error: Error) => error.message)
  const [, name] = /--table-input '\{"Name":"(changes_until_\d{14})"/.exec(String(refused))!
  await archive.run.catalog.renameTable(table(), { ...table(), name: name! })

  await recover(unsupported)

  await expectToHaveBegunAgain()
})

test('maintenance of the table that the archive has begun again with removes nothing of the former one', async () => {
  await replaceTopic()
  const before = (await loaded()).metadata.location
  const kept = await list(`${before}/`)
  await recover()
  await setGroupsBack()
  await archive.run.archive([...remade(0, 2), event(0)])
  await archive.run.commit()

  const swept = await removeOrphans(archive.run.store, await loaded(), new Set(), Date.now() + 3_600_000)

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
  const arrive = () => advanceArchive(archive.database.pool, key, 'sparse', [late], [late], [file])
  await expect(recover({ createTable: interrupted })).rejects.toThrow('interrupted')
  await expect(arrive()).rejects.toThrow('has begun again with a new table')
  await recover()
  await expect(arrive()).rejects.toThrow('has begun again with a new table')
  await archive.database.pool.query('delete from tidemark.archive_renewal')

  await expect(arrive()).rejects.toThrow('has begun again with a new table')

  const { rows } = await archive.database.pool.query('select * from tidemark.archive_range')
  expect(rows).toEqual([])
})

test('where records are missing from a topic that is the same one, the archive keeps its table', async () => {
  await archiveAndCommit(0, 3)
  await expect(archive.run.archive(records(5, 6))).rejects.toThrow('records 3 to 4 are missing')

  expect(await recover()).toMatchObject({ done: true, kinds: [] })
  expect(await formerNames()).toEqual([])
})

test('a table that is begun in place of one that had begun again, and is gone, is not at the place of the former one', async () => {
  await replaceTopic()
  const { location } = (await loaded()).metadata
  await recover()
  await setGroupsBack()
  await archive.run.archive([...remade(0, 2), event(0)])
  await archive.run.commit()
  const second = (await loaded()).metadata.location
  await dropTable()
  await archive.run.store.remove(await list(`${second}/`))

  const { kinds } = await recover()

  expect(kinds).toEqual(['begin'])
  expect(isIn((await loaded()).metadata.location, location)).toBe(false)
  await removeOrphans(archive.run.store, await loaded(), new Set(), Date.now() + 3_600_000)
  expect(await rowsOf((await formerNames())[0])).toEqual(FORMER_ROWS)
})

test('when the archive begins again, a transaction that is noting records is waited for', async () => {
  await replaceTopic()
  const client = await archive.database.pool.connect()
  await client.query('begin')
  const key = { consumer: 'tidemark-archive', topic: 'user-events', topicPartition: 0 }
  await noteRange(client, key, { from: 4, to: 5, records: 1 }, [])

  const recovering = recover()
  await eventually(async () => {
    const { rows } = await archive.database.pool.query(
      "select from pg_locks where not granted and relation = 'tidemark.archive_range'::regclass",
    )
    expect(rows).toHaveLength(1)
  })
  await client.query('rollback')
  client.release()
  await recovering

  await expectToHaveBegunAgain()
})
