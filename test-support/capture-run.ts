import { setTimeout } from 'node:timers/promises'
import type { Pool } from 'pg'
import { makeCapturePendingTables } from '#lambdas/capture-tables/capture-pending-tables.ts'

/** A run of capture-tables that has `ms` to spend: its own pauses, so that it looks as often on a machine that is slow. */
export function captureFor(source: Pool, ms: number) {
  let spentMs = 0
  const pause = async (each: number) => {
    spentMs += each
    await setTimeout(each)
  }
  return makeCapturePendingTables({ source, now: () => spentMs, pause })(ms)
}
