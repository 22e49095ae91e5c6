import type pg from 'pg'

/** The present and former names of tables in the target's contracts, and the name of the state of plain deltas. */
export async function readKnownTables(target: Pick<pg.ClientBase, 'query'>): Promise<string[]> {
  const { rows } = await target.query<{ name: string }>(
    `select distinct (c.contract ->> 'schema') || '.' || (c.contract ->> 'table') as name
     from tidemark.contract c
     union
     select m.schema_name || '.' || m.table_name
     from tidemark.table_marker m
     union
     select s.schema_name || '.' || s.table_name
     from tidemark.stopped_table s`,
  )
  return [...rows.map(({ name }) => name), 'tidemark.latest_user_state']
}
