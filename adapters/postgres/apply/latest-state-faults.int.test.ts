import { expect, test } from 'vitest'
import { runUnderFaults } from '#test-support/changes/fault-run.ts'
import { createDatabase } from '#test-support/databases/database.ts'

const seeds = Array.from({ length: 12 }, (_, i) => 1000 + i)

test.each(seeds)(
  'seed %i: repeats, zombies and ended sessions leave the rows and the history of the source, each change once',
  async (seed) => {
    const target = await createDatabase('target')
    try {
      const result = await runUnderFaults(seed, target.pool)

      expect(result.target).toEqual(result.source)
      expect(result.history).toEqual(result.changesOfSource)
      expect(result.quarantined).toBe(0)
      expect(result.applied).toBeLessThanOrEqual(result.changes)
    } finally {
      await target.drop()
    }
  },
)
