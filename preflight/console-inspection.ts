import pg from 'pg'
import { sessionOptions, WITHOUT_TIMEOUTS } from '#adapters/postgres/session/session-settings.ts'
import type { Connection, Inspection } from '#core/console/connectors.ts'
import type { Refusal } from '#lambdas/serve-console/refusal.ts'
import type { Finding } from './finding.ts'
import { inspectSource } from './source-inspection.ts'
import { readSchemas } from './table-facts.ts'

const CONNECT_MS = 5_000
const QUERY_MS = 15_000

/**
 * Connects to a database with the given login, and returns what it lacks to be a source, and its tables. The login is
 * used for this only. A database that does not answer, or does not let the user in, is an outcome.
 */
export async function inspectForConsole(connection: Connection): Promise<Inspection | Refusal> {
  const client = await connect(connection)
  if ('refused' in client) return client
  try {
    const schemas = await readSchemas(client)
    const { version, database, findings, tables } = await inspectSource(client, schemas, undefined, 'catalog')
    const leftOut = tables.flatMap(({ name, refusals }) => refusals.map((refusal) => ({ name, ...refusal })))
    const { columns, isCut } = await readColumns(client, schemas)
    return {
      server: `${database}, PostgreSQL ${version}`,
      findings: [
        ...findings.map(shown),
        ...leftOut.slice(0, MOST_REFUSALS).map(({ name, reason, fix }) => ({
          ...{ severity: 'warning' as const, sql: fix },
          what: `${name} cannot be captured: ${reason}`,
        })),
        ...(isCut
          ? [{ severity: 'note' as const, what: `only the first ${MOST_COLUMNS} columns are shown`, sql: null }]
          : []),
      ],
      schemas: inSchemas(columns),
    }
  } catch (error) {
    return { refused: `the database could not be inspected: ${(error as Error).message}`, hint: null }
  } finally {
    await client.end().catch(() => undefined)
  }
}

const MOST_REFUSALS = 200
/** An answer has a few megabytes at most. */
const MOST_COLUMNS = 20_000

const severities = { problem: 'error', advice: 'warning', ok: 'note' } as const

const shown = ({ level, subject, state, fix }: Finding): Inspection['findings'][number] => ({
  severity: severities[level],
  what: `${subject}: ${state}`,
  sql: fix,
})

/** With TLS if the server has it, as clients of Postgres do unless they are configured otherwise. */
async function connect(connection: Connection): Promise<pg.Client | Refusal> {
  const secured = await open(connection, { rejectUnauthorized: false })
  if (!(secured instanceof Error)) return secured
  const plain = /does not support SSL/.test(secured.message) ? await open(connection, false) : secured
  if (!(plain instanceof Error)) return plain
  const { host, port, database } = connection
  return {
    refused: `cannot connect to ${database} at ${host}:${port}: ${plain.message || (plain as NodeJS.ErrnoException).code}`,
    hint: 'Check host, user and password, and that the server lets this machine in.',
  }
}

async function open(connection: Connection, ssl: pg.ClientConfig['ssl']): Promise<pg.Client | Error> {
  const { host, port, database, user, password } = connection
  const client = new pg.Client({
    ...{ host, port, database, user, password, ssl },
    application_name: 'tidemark-console',
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
    options: sessionOptions({ ...WITHOUT_TIMEOUTS, statement_timeout: String(QUERY_MS) }),
  })
  // A connection that ends later fails the query under way. Without a listener the event would end the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return client
  } catch (error) {
    await client.end().catch(() => undefined)
    return error as Error
  }
}

type Column = {
  readonly schema: string
  readonly table: string
  readonly rows: number
  readonly hasKey: boolean
  readonly name: string | null
  readonly type: string | null
  readonly isKey: boolean
}

const columnsOfSchemas = `
select n.nspname as schema, c.relname as table, greatest(c.reltuples, 0)::float8 as rows, i.indrelid is not null as "hasKey",
  a.attname as name, format_type(a.atttypid, a.atttypmod) as type, coalesce(a.attnum = any (i.indkey), false) as "isKey"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_index i on i.indrelid = c.oid and i.indisprimary
left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname = any ($1)
  and c.relkind in ('r', 'p')
  and c.relpersistence <> 't'
order by n.nspname, c.relname, a.attnum
limit $2`

async function readColumns(client: pg.Client, schemas: string[]): Promise<{ columns: Column[]; isCut: boolean }> {
  const { rows } = await client.query<Column>(columnsOfSchemas, [schemas, MOST_COLUMNS + 1])
  return { columns: rows.slice(0, MOST_COLUMNS), isCut: rows.length > MOST_COLUMNS }
}

const inSchemas = (columns: readonly Column[]): Inspection['schemas'] =>
  [...Map.groupBy(columns, ({ schema }) => schema)].map(([name, ofSchema]) => ({
    name,
    tables: [...Map.groupBy(ofSchema, ({ table }) => table)].map(([table, [first, ...more]]) => ({
      ...{ name: table, rows: first!.rows, hasKey: first!.hasKey },
      columns: [first!, ...more].flatMap(({ name: column, type, isKey }) =>
        // A table may have no columns.
        column === null || type === null ? [] : [{ name: column, type, isKey }],
      ),
    })),
  }))
