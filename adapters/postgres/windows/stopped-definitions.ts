import type { Pool } from 'pg'

/** Number of definitions that are stopped, each of which needs somebody. */
export async function countStoppedDefinitions(target: Pool): Promise<number> {
  const { rows } = await target.query<{ stopped: number }>(
    `select count(distinct name)::int as stopped from tidemark.window_definition where state = 'stopped'`,
  )
  return rows[0]!.stopped
}
