import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeArchiveFunctions } from '#test-support/archive-readers/archive-functions.ts'
import { madeEvents } from '#test-support/archive-readers/made-topics.ts'
import { type MiniStack, startMiniStack } from '#test-support/archive-readers/ministack.ts'
import { findPython } from '#test-support/archive-readers/python-environment.ts'
import { openPythonReaders, type PythonReaders } from '#test-support/archive-readers/python-readers.ts'
import { readWithPyIceberg, signedFor } from '#test-support/archive-readers/readers.ts'
import { makeTallying, type Question } from '#test-support/archive-readers/tally.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'

const python = await findPython()
if (!python.found) console.warn(`NOT TESTED: MiniStack's S3 Tables as the archive's catalog. ${python.reason}.`)

const TOTAL = 30_000
/** There are more commits than maintenance leaves unmerged. */
const COMMITS = 22
const everything: Question[] = [{ where: () => 'true', holds: () => true }]
let database: TestDatabase
let readers: PythonReaders
let ministack: MiniStack

beforeAll(async () => {
  if (!python.found) return
  readers = await openPythonReaders({ onProgress: console.log })
  ministack = await startMiniStack(readers)
  database = await createDatabase('target')
}, 1_200_000)
afterAll(async () => {
  await database?.drop()
  await ministack?.stop()
})

test.skipIf(!python.found)(
  'archived, committed and maintained over signed requests to another S3 Tables, every record is read once',
  async () => {
    const { services } = ministack
    const functions = makeArchiveFunctions(services, database.pool)
    const tallying = makeTallying(everything)
    for (const { event, expected } of madeEvents(TOTAL)) {
      for (const [stream, records] of Object.entries(event.records)) {
        await functions.archive({ ...event, records: { [stream]: records } })
        await functions.commit()
      }
      for (const record of expected) tallying.add(record)
    }

    const before = await readWithPyIceberg(readers, services, everything, signedFor(services))
    const maintained = await functions.maintain({ ms: 0, least: 1, most: 1 }, 0)
    const after = await readWithPyIceberg(readers, services, everything, signedFor(services))

    expect(before.answers).toEqual(tallying.tallies())
    // MiniStack reports that it has removed table snapshots, but removes none. Their files have to stay then.
    expect(maintained).toMatchObject({ busy: false, expiredSnapshots: 0 })
    expect(maintained.mergedManifests).toBeGreaterThanOrEqual(COMMITS)
    expect(after.answers).toEqual(tallying.tallies())
  },
)

test.skipIf(!python.found)(
  'a request that is signed with another secret is refused: signatures count there',
  async () => {
    const { services } = ministack
    const credentials = { ...services.credentials, secretAccessKey: 'another secret' }

    const opening = makeArchiveFunctions({ ...services, credentials }, database.pool).openTable()

    await expect(opening).rejects.toMatchObject({ name: 'CatalogError', status: 403 })
  },
)
