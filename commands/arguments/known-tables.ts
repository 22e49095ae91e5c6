import type pg from 'pg'

/** Names that tables have or had, as the target knows them from their contracts, and that of the state of plain deltas. */
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
