import { afterEach, beforeEach, expect, test } from 'vitest'
import { runArchiveUnderFaults } from '#test-support/archive/archive-fault-run.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'

const first = Number(process.env['TIDEMARK_SEED'] ?? 1)
const runs = Number(process.env['TIDEMARK_RUNS'] ?? 5)

let database: TestDatabase

beforeEach(async () => {
  database = await createDatabase('target')
})
afterEach(async () => {
  await database.drop()
})

test.each(Array.from({ length: runs }, (_, i) => first + i))(
  'every record is in the archive table exactly once, whatever crashes, is lost or comes twice (TIDEMARK_SEED=%i)',
  async (seed) => {
    const { delivered, archived, faults, commits } = await runArchiveUnderFaults(seed, database.pool)

    expect(archived).toEqual(delivered)
    expect(faults).toBeGreaterThan(0)
    expect(commits).toBeGreaterThan(0)
  },
)
