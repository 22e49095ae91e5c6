import { expect, test } from 'vitest'
import { createDatabase } from '#test-support/databases/database.ts'
import { runWindowsUnderFaults } from '#test-support/windows/windows-run.ts'

const runs = Number(process.env['TIDEMARK_RUNS'] ?? 20)
const first = Number(process.env['TIDEMARK_SEED'] ?? 5000)
const seeds = Array.from({ length: runs }, (_, i) => first + i)

test.each(seeds)(
  'seed %i: windows and their topic equal batch SQL over the source after repeats, zombies and ended sessions',
  async (seed) => {
    const target = await createDatabase('target')
    try {
      for (const { windows, batch, topic } of await runWindowsUnderFaults(seed, target.pool)) {
        expect(windows).toEqual(batch)
        expect(topic).toEqual(windows)
      }
    } finally {
      await target.drop()
    }
  },
)
