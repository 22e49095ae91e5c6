import { expect, test } from 'vitest'
import { runUnderFaults } from '#test-support/changes/fault-run.ts'
import { createDatabase } from '#test-support/databases/database.ts'

const runs = Number(process.env['TIDEMARK_FAULT_RUNS'] ?? 500)
const first = Number(process.env['TIDEMARK_FAULT_SEED'] ?? Date.now() % 1_000_000)

test(`${runs} seeded fault runs from seed ${first} leave the rows and the history of the source`, async () => {
  for (let seed = first; seed < first + runs; seed++) {
    const target = await createDatabase('target')
    try {
      const result = await runUnderFaults(seed, target.pool)
      expect(result.target, `seed ${seed}`).toEqual(result.source)
      expect(result.history, `seed ${seed}`).toEqual(result.changesOfSource)
      expect(result.quarantined, `seed ${seed}`).toBe(0)
      expect(result.applied, `seed ${seed}`).toBeLessThanOrEqual(result.changes)
    } finally {
      await target.drop()
    }
  }
})
