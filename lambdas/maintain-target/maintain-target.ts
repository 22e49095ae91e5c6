import type { Pool } from 'pg'
import { maintainOneRound } from '#adapters/postgres/maintenance/maintenance-round.ts'

/** What a run has removed. */
export type MaintenanceSummary = {
  /** Names of the dropped table partitions of history. */
  dropped: string[]
  /** Number of changes whose table has a shorter retention than the table partition they were in. */
  changes: number
  auditMessages: number
  /** Number of delete markers that no late change can need any more. */
  markers: number
  /** Whether the deadline came before the end; the next run goes on. */
  unfinished: boolean
}

/**
 * Creates the table partitions of the coming days and removes what is past its retention. It works in rounds, each in a
 * short transaction, until nothing is left or `deadline` (ms since 1970) has come. Runs may overlap. Throws the
 * database's errors.
 */
export function makeMaintainTarget({ target, now }: { target: Pick<Pool, 'query'>; now: () => number }) {
  return async (deadline: number): Promise<MaintenanceSummary> => {
    const summary: MaintenanceSummary = { dropped: [], changes: 0, auditMessages: 0, markers: 0, unfinished: false }
    for (;;) {
      const { dropped, changes, auditMessages, markers, more } = await maintainOneRound(target)
      if (dropped !== null) summary.dropped.push(dropped)
      summary.changes += changes
      summary.auditMessages += auditMessages
      summary.markers += markers
      if (!more) return summary
      if (now() >= deadline) return { ...summary, unfinished: true }
    }
  }
}
