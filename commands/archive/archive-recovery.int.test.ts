import { afterAll, beforeAll, expect, test } from 'vitest'
import { archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { type ArchiveRun, makeArchiveRun } from '#test-support/archive/archive-run.ts'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import type { RecoverableArchive } from '#verify/archive/archive-access.ts'
import { checkFound, recoverFound } from './archive-recovery.ts'
import { describeArchiveStatus, readArchiveStatus } from './archive-status.ts'

let servers: ArchiveServers
let database: TestDatabase
let run: ArchiveRun

beforeAll(async () => {
  servers = await startArchiveServers()
  database = await createDatabase('target')
  const place = { catalog: 's3tables', warehouse: 'arn', namespace: 'commands', location: '' } as const
  run = makeArchiveRun(servers, database.pool, place)
})
afterAll(async () => {
  await Promise.all([database?.drop(), servers?.stop()])
})

test('the command finds a renamed table by the ledger in the target, renames it back when asked to, and checks', async () => {
  await run.archive([
    { topic: 'changes', partition: 0, offset: 0, timestamp: 1, timestampType: 'CREATE_TIME', headers: [] } as never,
  ])
  await run.commit()
  const { catalog, store, place } = run
  const table = archiveTableName(place)
  const archive: RecoverableArchive = { catalog, store, place, table, target: database.url }
  const quiet = { onProgress: () => undefined }
  await catalog.renameTable(table, { ...table, name: 'old' })

  await expect(checkFound(archive, quiet)).rejects.toThrow('commands.changes is not in the catalog')
  const client = await database.pool.connect()
  const status = describeArchiveStatus(await readArchiveStatus(client, archive)).split('\n')
  client.release()
  const refused = await recoverFound(archive, quiet, async () => false)
  const recovered = await recoverFound(archive, quiet, async ({ kind }) => kind === 'rename')

  expect(status[0]).toMatch(/^since .*: the archive table commands.changes is not in the catalog/)
  expect(status[1]).toBe('    npm run archive -- recover')
  expect(status[3]).toMatch(/^table +commands.changes, missing$/)
  expect(refused.done).toBe(false)
  expect(recovered).toMatchObject({ done: true, check: { records: 1, files: 1, missing: [] } })
  expect(await checkFound(archive, quiet)).toEqual(recovered.check)
})
