import type pg from 'pg'
import { parseContract, type TableContract } from '#core/contract.ts'
import { type DatabaseSession, sessionOver, toCompare } from '#verify/database-session.ts'
import { withClient } from './scratch-database.ts'

/** One connection to a database with a latest state. A listing must end before the next query. */
export type StateSession = DatabaseSession & { readonly client: pg.Client }

/** Runs work with a session that sees the database as it is at the beginning, even if others write to it meanwhile. */
export function withStateSession<T>(url: string, work: (session: StateSession) => Promise<T>): Promise<T> {
  return withClient(url, async (client) => {
    await client.query(toCompare)
    await client.query('begin isolation level repeatable read read only')
    return work({ client, ...sessionOver('target', client, client) })
  })
}

/** The contracts of the tables that the latest state shows, under the names of their views. */
export async function readShownContracts({ query }: Pick<StateSession, 'query'>): Promise<TableContract[]> {
  const rows = await query<{ contract: object; schema: string; table: string }>(
    `select g.contract, m.schema_name as schema, m.table_name as table
     from tidemark.generation g
     join tidemark.table_marker m using (relation)
     where g.shown
       and m.dropped_at is null
     order by m.schema_name collate "C", m.table_name collate "C"`,
  )
  return rows.map(({ contract, schema, table }) => parseContract({ ...contract, schema, table }))
}

/** A table that does not show what its source had, and the reason. */
export type UnfinishedTable = { readonly name: string; readonly relation: number; readonly reason: string }

/** The tables whose changes are not applied. */
export function readStopped({ query }: Pick<StateSession, 'query'>): Promise<UnfinishedTable[]> {
  return query<UnfinishedTable>(
    `select schema_name || '.' || table_name as name, relation::float8 as relation, reason
     from tidemark.stopped_table
     order by name`,
  )
}

/** The tables that were being snapshotted, for the first time or again. */
export function readUnderWay({ query }: Pick<StateSession, 'query'>): Promise<UnfinishedTable[]> {
  return query<UnfinishedTable>(
    `select distinct m.schema_name || '.' || m.table_name as name, m.relation::float8 as relation,
       case when g.shown then 'a snapshot of its rows was under way: some rows may be missing'
         else 'a new snapshot of its rows was under way: it shows the rows of the generation before' end as reason
     from tidemark.generation g
     join tidemark.table_marker m using (relation)
     where m.dropped_at is null
       and not (g.contract ->> 'complete')::boolean
     order by name`,
  )
}
