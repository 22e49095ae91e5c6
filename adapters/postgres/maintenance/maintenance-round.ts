import type { Pool } from 'pg'

/** What one round has removed, as `tidemark.maintain()` tells it, and whether more is left. */
export type MaintenanceRound = {
  dropped: string | null
  changes: number
  auditMessages: number
  markers: number
  more: boolean
}

/** A round in a short transaction. Throws the database's errors. */
export async function maintainOneRound(target: Pick<Pool, 'query'>): Promise<MaintenanceRound> {
  const { rows } = await target.query<{ round: MaintenanceRound }>('select tidemark.maintain() as round')
  return rows[0]!.round
}
