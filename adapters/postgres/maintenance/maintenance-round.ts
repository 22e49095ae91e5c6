import type { Pool } from 'pg'

/** What one round has removed, as `tidemark.maintain()` returns it. `more` says whether there is more to remove. */
export type MaintenanceRound = {
  dropped: string | null
  changes: number
  auditMessages: number
  markers: number
  more: boolean
}

/** Runs one round in a short transaction. Throws the errors of the database. */
export async function maintainOneRound(target: Pick<Pool, 'query'>): Promise<MaintenanceRound> {
  const { rows } = await target.query<{ round: MaintenanceRound }>('select tidemark.maintain() as round')
  return rows[0]!.round
}
