import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { WITHOUT_TRANSACTION_TIMEOUT } from '#adapters/postgres/session/session-settings.ts'

/**
 * Connections to one database. All of them write values in the same way, whatever the settings of the server and the
 * role are.
 */
export type DatabaseSession = {
  side: 'source' | 'target'
  query<Row extends pg.QueryResultRow>(sql: string, parameters?: unknown[]): Promise<Row[]>
  /** Rows as arrays of the texts that Postgres writes; null for an SQL null. */
  queryText(sql: string, parameters: unknown[]): Promise<(string | null)[][]>
  /** Lines in COPY's text format. If the session has two connections, `query` and `queryText` may be used meanwhile. */
  copy(select: string): AsyncIterable<Buffer>
  close(): Promise<void>
}

/**
 * SQL for a connection of `clientOfUrl`, which already writes values in the same way. It adds the schemas of extensions
 * to the search path, so that the operators of their types are found, and switches off a timeout that only Postgres 17
 * and later have.
 */
export const toCompare = `
  select set_config('search_path', concat_ws(', ', 'pg_catalog', string_agg(distinct quote_ident(n.nspname), ', ')), false)
  from pg_extension e
  join pg_namespace n on n.oid = e.extnamespace
  where n.nspname <> 'pg_catalog';
  ${WITHOUT_TRANSACTION_TIMEOUT}`

const asText: pg.CustomTypesConfig = { getTypeParser: () => (value: string | Buffer) => value.toString() }

/** Opens two connections. Throws an Error that names the side which does not answer, and the reason. */
export async function openSession(side: 'source' | 'target', url: string): Promise<DatabaseSession> {
  const [queries, copies] = await Promise.all([connect(side, url), connect(side, url)])
  return sessionOver(side, queries, copies)
}

/** A session over connections on which `toCompare` was executed. Both may be the same connection. */
export function sessionOver(side: 'source' | 'target', queries: pg.Client, copies: pg.Client): DatabaseSession {
  return {
    side,
    query: async (sql, parameters) => (await queries.query(sql, parameters)).rows,
    queryText: async (text, values) => (await queries.query({ text, values, rowMode: 'array', types: asText })).rows,
    copy: (select) => {
      const lines = copies.query(copyTo(`copy (${select}) to stdout`))
      // The reader gets the error itself. If the session is closed before the end, there is no reader, and without a
      // listener the error would end the process.
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
