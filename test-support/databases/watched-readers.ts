import { setTimeout as pause } from 'node:timers/promises'
import type { TestPipeline } from '../pipeline.ts'

/**
 * Reads tables of the target again and again, as an application would, until it is stopped. `stop` returns what was
 * wrong: fewer rows than a table has had all the time, or an error.
 */
export function watchReaders(
  { target }: Pick<TestPipeline, 'target'>,
  leastRows: Readonly<Record<string, number>>,
): { stop: () => Promise<string[]> } {
  const wrong = new Set<string>()
  let stopped = false
  const look = async (table: string, least: number) => {
    try {
      const { rows } = await target.query(`select count(*)::int as n from ${table}`)
      if (rows[0].n < least) wrong.add(`${table} showed ${rows[0].n} rows, not ${least}`)
    } catch (error) {
      wrong.add(`${table}: ${(error as Error).message}`)
    }
  }
  const watching = (async () => {
    while (!stopped) {
      for (const [table, least] of Object.entries(leastRows)) await look(table, least)
      await pause(20)
    }
  })()
  return {
    stop: async () => {
      stopped = true
      await watching
      return [...wrong]
    },
  }
}
