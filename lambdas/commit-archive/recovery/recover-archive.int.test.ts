import { expect, test } from 'vitest'
import { archivePartitionSpec, archiveProperties, archiveSchema } from '#adapters/iceberg/archive/archive-table.ts'
import type { RestCatalog } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { backUpLedger } from '#test-support/archive/ledger-backup.ts'
import { records, useRecoverableArchive } from '#test-support/archive/recoverable-archive.ts'
import { isWhole, recoverArchive } from './recover-archive.ts'

const archive = useRecoverableArchive()
const { recover, check, archiveAndCommit, table, loaded, archivedOffsets, withTools, dropTable, list, problems } =
  archive

const upTo = (count: number) => Array.from({ length: count }, (_, offset) => offset)

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
  expect(await archive.run.catalog.loadTable(table())).toBeUndefined()
})

test.each([
  ['in its namespace', () => table().namespace],
  ['in another one', () => `${table().namespace}_elsewhere`],
])('a table that was renamed is found %s and renamed back', async (_, namespace) => {
  await archiveAndCommit(0, 3)
  await archive.run.archive(records(3, 5))
  await archive.run.catalog.createNamespace(namespace())
  await archive.run.catalog.renameTable(table(), { namespace: namespace(), name: 'old' })
  await expect(archive.run.commit()).rejects.toThrow('is not in the catalog')

  const { kinds, check: found } = await recover()

  expect(kinds).toEqual(['rename'])
  expect(isWhole(found!)).toBe(true)
  await expectToGoOn(5, 7)
})

test('nothing is done that was not agreed to', async () => {
  await archiveAndCommit(0, 3)
  await archive.run.catalog.renameTable(table(), { ...table(), name: 'old' })

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
  expect(await archive.run.catalog.loadTable(table())).toBeUndefined()
})

test('a ledger of before tables were noted finds its table, also where an empty one of the archive has the name', async () => {
  await archiveAndCommit(0, 3)
  await archive.database.pool.query('delete from tidemark.archive_table')
  await archive.run.catalog.renameTable(table(), { ...table(), name: 'old' })
  const empty = { schema: archiveSchema, 'partition-spec': archivePartitionSpec, properties: archiveProperties }
  await archive.run.catalog.createTable(table(), empty)
  await expect(archive.run.archive(records(3, 5))).rejects.toThrow('has 0 commits, the ledger')

  const { kinds } = await recover()

  expect(kinds).toEqual(['rename'])
  await expectToGoOn(3, 5)
})

test('another table that has the name is moved aside, never dropped', async () => {
  await archiveAndCommit(0, 3)
  await archive.run.catalog.renameTable(table(), { ...table(), name: 'old' })
  const other = { schema: archiveSchema, 'partition-spec': archivePartitionSpec }
  await archive.run.catalog.createTable(table(), other)

  await recover()

  const names = (await archive.run.catalog.listTables(table().namespace)).map(({ name }) => name).sort()
  expect(names).toEqual(['changes', expect.stringMatching(/^changes_aside_\d{14}$/)])
  await expectToGoOn(3, 5)
})

test('for a catalog that cannot rename, the error has the calls that do it', async () => {
  await archiveAndCommit(0, 3)
  await archive.run.catalog.renameTable(table(), { ...table(), name: 'old' })
  const { metadataLocation } = (await archive.run.catalog.loadTable({ ...table(), name: 'old' }))!

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
  await archive.run.archive(records(5, 6))
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
  await archive.database.pool.query('update tidemark.archive_commit set committed_at = null where number = 2')
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
      await archive.run.catalog.commit(...commit)
      throw new Error('interrupted')
    },
  }
  await expect(recover({ ...unsupported, ...afterCommit })).rejects.toThrow('interrupted')

  await recover(unsupported)

  expect(await archive.run.catalog.listTables(table().namespace)).toEqual([table()])
  await expectToGoOn(3, 5)
})

test('when the files of a table are gone with it, the records that the archive has lost are reported and noted', async () => {
  await archiveAndCommit(0, 3)
  await archive.run.archive(records(3, 5))
  const { location } = (await loaded()).metadata
  await dropTable()
  const waiting = await archive.database.pool.query('select path from tidemark.archive_file')
  const kept = new Set(waiting.rows.map(({ path }) => path))
  await archive.run.store.remove((await list(`${location}/`)).filter((url) => !kept.has(url)))

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
  await archive.run.store.remove([gone!])

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
  await archive.run.store.remove([gone!])

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
  await archive.run.archive(records(3, 5))
  await archive.run.archive(records(5, 7))
  const [gone] = (await list(`${(await loaded()).metadata.location}/data/`)).filter((url) => url.includes('-3-4-'))
  await archive.run.store.remove([gone!])
  await expect(archive.run.commit()).rejects.toThrow(`${gone} is gone before it was committed`)
  expect(await problems()).toEqual([{ kind: 'waiting files' }])

  const { steps } = await recover()

  expect(steps[0]!.happened).toContain(`${gone} (2 records of offsets 3 to 4 of changes-0)`)
  await expectToGoOn(7, 8, [0, 1, 2, 5, 6, 7])
})

test('a data file that is alone in its commit is looked for as well, and a problem is over when it is back', async () => {
  await archive.run.archive(records(0, 2))
  const [path] = await list(`${(await loaded()).metadata.location}/data/`)
  const bytes = (await archive.run.store.get(path!))!
  await archive.run.store.remove([path!])
  await expect(archive.run.commit()).rejects.toThrow(`${path} is gone before it was committed`)

  await archive.run.store.put(path!, bytes)

  await expectToGoOn(2, 3)
})

test('a target that was restored from an older backup adopts the commits of the table, and no record is there twice', async () => {
  await archiveAndCommit(0, 3)
  const restore = await backUpLedger(archive.database.pool)
  await archiveAndCommit(3, 5)
  await archiveAndCommit(5, 6)
  await restore()
  await expect(archive.run.commit()).rejects.toThrow('has 3 commits, the ledger in the target has 1')

  const { kinds } = await recover()

  expect(kinds).toEqual(['adopt'])
  // These records are delivered again from before the backup, as after a reset of the consumer group.
  await archive.run.archive(records(4, 6))
  await expectToGoOn(0, 9)
})

test('records that a restored target archived again unnoticed are dropped, and new records among them are kept', async () => {
  await archiveAndCommit(0, 3)
  const restore = await backUpLedger(archive.database.pool)
  await archiveAndCommit(3, 5)
  await restore()
  // This process knows the table's location from before, and does not ask the catalog again.
  await archive.run.archive(records(3, 4))
  await archive.run.archive(records(4, 8))

  const { kinds } = await recover()

  expect(kinds).toEqual(['adopt'])
  await expectToGoOn(8, 9)
})

test('a target without any ledger adopts the commits of the table', async () => {
  const restore = await backUpLedger(archive.database.pool)
  await archiveAndCommit(0, 3)
  await archiveAndCommit(3, 5)
  await restore()
  archive.restart()
  await expect(archive.run.archive(records(0, 3))).rejects.toThrow('has 2 commits, the ledger in the target has 0')

  const { kinds } = await recover()

  expect(kinds).toEqual(['adopt'])
  await expectToGoOn(3, 7)
})

test('where another pipeline has made a commit of the same number, the ledger adopts the commits of the table', async () => {
  await archiveAndCommit(0, 3)
  const fork = await backUpLedger(archive.database.pool)
  await archiveAndCommit(3, 5)
  await fork()
  // The other pipeline has already prepared its own commit 2.
  await archive.run.archive(records(3, 6))
  await archive.database.pool.query(
    `with other as (
       insert into tidemark.archive_commit (number, snapshot_id, records, offsets) values (2, 7, 3, '{}') returning number
     )
     update tidemark.archive_range r set commit_number = other.number from other where r.commit_number is null`,
  )
  await expect(archive.run.commit()).rejects.toThrow('commit 2 is not the same one in both')

  const { kinds } = await recover()

  expect(kinds).toEqual(['adopt'])
  await expectToGoOn(6, 8)
})

test('a table that was set back gets the commits between from its newer metadata', async () => {
  await archiveAndCommit(0, 3)
  const { metadataLocation: earlier } = await loaded()
  await archiveAndCommit(3, 5)
  await dropTable()
  await archive.run.catalog.registerTable(table(), earlier)
  await archive.run.archive(records(5, 6))
  await expect(archive.run.commit()).rejects.toThrow('the table was restored to an earlier state')

  const { kinds } = await recover()

  expect(kinds).toEqual(['put back'])
  await expectToGoOn(6, 8)
})

test('another table under the name of an archive that never began is not touched', async () => {
  await archive.run.catalog.createNamespace(table().namespace)
  const fields = archiveSchema.fields.map((field) => ({ ...field, name: `my_${field.name}` }))
  const other = { schema: { ...archiveSchema, fields }, 'partition-spec': archivePartitionSpec }
  await archive.run.catalog.createTable(table(), other)

  await expect(recover()).rejects.toThrow('was not made by the archive')
  expect(await archive.run.catalog.listTables(table().namespace)).toEqual([table()])
})
