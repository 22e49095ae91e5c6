import { setTimeout } from 'node:timers/promises'
import type { Pool } from 'pg'
import { makeCapturePendingTables } from '#lambdas/capture-tables/capture-pending-tables.ts'

/**
 * Runs capture-tables with `ms` to spend. Only its own pauses count as time, so that it looks as often on a slow
 * machine.
 */
export function captureFor(source: Pool, ms: number) {
  let spentMs = 0
  const pause = async (each: number) => {
    spentMs += each
    await setTimeout(each)
  }
  return makeCapturePendingTables({ source, now: () => spentMs, pause })(ms)
}
