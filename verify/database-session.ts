import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { WITHOUT_TRANSACTION_TIMEOUT } from '#adapters/postgres/session/session-settings.ts'

/** Connections to one database, all writing values in one way whatever the server's and the role's settings are. */
export type DatabaseSession = {
  side: 'source' | 'target'
  query<Row extends pg.QueryResultRow>(sql: string, parameters?: unknown[]): Promise<Row[]>
  /** Rows as arrays of the text Postgres writes; null for SQL's null. */
  queryText(sql: string, parameters: unknown[]): Promise<(string | null)[][]>
  /** Lines of COPY's text format; `query` and `queryText` may be used meanwhile where the session has two connections. */
  copy(select: string): AsyncIterable<Buffer>
  close(): Promise<void>
}

/**
 * SQL for a connection of `clientOfUrl`, which writes values in one way already: has the operators of extensions' types
 * found, and ends what Postgres 17 has besides.
 */
export const toCompare = `
  select set_config('search_path', concat_ws(', ', 'pg_catalog', string_agg(distinct quote_ident(n.nspname), ', ')), false)
  from pg_extension e
  join pg_namespace n on n.oid = e.extnamespace
  where n.nspname <> 'pg_catalog';
  ${WITHOUT_TRANSACTION_TIMEOUT}`

const asText: pg.CustomTypesConfig = { getTypeParser: () => (value: string | Buffer) => value.toString() }

/** Connects twice. Throws an Error that says which side does not answer and why. */
export async function openSession(side: 'source' | 'target', url: string): Promise<DatabaseSession> {
  const [queries, copies] = await Promise.all([connect(side, url), connect(side, url)])
  return sessionOver(side, queries, copies)
}

/** A session over connections that `toCompare` has been executed on; the two may be one. */
export function sessionOver(side: 'source' | 'target', queries: pg.Client, copies: pg.Client): DatabaseSession {
  return {
    side,
    query: async (sql, parameters) => (await queries.query(sql, parameters)).rows,
    queryText: async (text, values) => (await queries.query({ text, values, rowMode: 'array', types: asText })).rows,
    copy: (select) => {
      const lines = copies.query(copyTo(`copy (${select}) to stdout`))
      // Its reader sees a failure by itself; when the session closes before the end, nobody reads any more.
      lines.on('error', () => undefined)
      return lines
    },
    close: async () => {
      await Promise.all([...new Set([queries, copies])].map((client) => client.end()))
    },
  }
}

async function connect(side: string, url: string): Promise<pg.Client> {
  const client = clientOfUrl(url, 'tidemark-compare')
  try {
    await client.connect()
    await client.query(toCompare)
    return client
  } catch (cause) {
    await client.end().catch(() => undefined)
    const { host, port, database } = client
    throw new Error(`the ${side} ${database} at ${host}:${port} is not reachable: ${(cause as Error).message}`, {
      cause,
    })
  }
}
