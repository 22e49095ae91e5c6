import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'

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
 * SQL after which a connection writes values in one way: it is a setting, and with two of them equal rows would differ. The
 * operators of extensions' types are found only on the search path.
 */
export const oneWayToWrite = `
  set datestyle = 'ISO, YMD';
  set intervalstyle = 'postgres';
  set timezone = 'UTC';
  set extra_float_digits = 1;
  set bytea_output = 'hex';
  set xmloption = 'content';
  set client_encoding = 'UTF8';
  select set_config('search_path', string_agg(distinct quote_ident(n.nspname), ', '), false)
  from pg_extension e
  join pg_namespace n on n.oid = e.extnamespace`

const asText: pg.CustomTypesConfig = { getTypeParser: () => (value: string | Buffer) => value.toString() }

/** Connects twice. Throws an Error that says which side does not answer and why. */
export async function openSession(side: 'source' | 'target', url: string): Promise<DatabaseSession> {
  const [queries, copies] = await Promise.all([connect(side, url), connect(side, url)])
  return sessionOver(side, queries, copies)
}

/** A session over connections that `oneWayToWrite` has been executed on; the two may be one. */
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
  const client = new pg.Client({ connectionString: url, application_name: 'tidemark-compare' })
  try {
    await client.connect()
    await client.query(oneWayToWrite)
    return client
  } catch (cause) {
    await client.end().catch(() => undefined)
    const { host, port, database } = client
    throw new Error(`the ${side} ${database} at ${host}:${port} is not reachable: ${(cause as Error).message}`, {
      cause,
    })
  }
}
