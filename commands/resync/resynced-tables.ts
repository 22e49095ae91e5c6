import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'

/** How far a resync is. `why` says what it waits for; null if it does not wait. */
export type ResyncedTable = { name: string; generation: number; state: string; why: string | null }

/** Connects as the administrator. Throws an Error that names the database and the cause. */
export async function openSource(url: string): Promise<pg.Client> {
  const client = clientOfUrl(url, 'tidemark-resync', { connectionTimeoutMillis: 10_000 })
  try {
    await client.connect()
    return client
  } catch (cause) {
    const { host, port, database } = client
    throw new Error(`cannot connect to ${database} at ${host}:${port}: ${(cause as Error).message}`, { cause })
  }
}

/** The SQLSTATE undefined_table. */
const UNDEFINED_TABLE = '42P01'

/**
 * Begins a new generation of each table. `refused` has the tables that cannot be resynced, with the reasons, and
 * `absent` those of them that do not exist.
 */
export async function beginResync(
  source: pg.ClientBase,
  tables: readonly string[],
): Promise<{ begun: ResyncedTable[]; refused: { table: string; why: string }[]; absent: string[] }> {
  const names: string[] = []
  const absent: string[] = []
  const refused: { table: string; why: string }[] = []
  for (const table of tables) {
    try {
      const { rows } = await source.query('select tidemark.resync($1) as name', [table])
      names.push(...rows.map(({ name }) => name))
    } catch (error) {
      const { message, code } = error as pg.DatabaseError
      // If the server did not answer, the other tables would fail as well.
      if (code === undefined) throw error
      refused.push({ table, why: message })
      if (code === UNDEFINED_TABLE) absent.push(table)
    }
  }
  return { begun: await readTables(source, names), refused, absent }
}

/**
 * Waits until the tables are captured, refused or gone, or until `waitMs` have passed. Returns how far each is. Throws
 * an Error if `whyInVain` returns a reason.
 */
export async function waitUntilCaptured(
  source: pg.ClientBase,
  begun: readonly ResyncedTable[],
  {
    waitMs,
    onProgress,
    whyInVain,
  }: { waitMs: number; onProgress: (what: string) => void; whyInVain?: () => Promise<string | undefined> },
): Promise<ResyncedTable[]> {
  const names = begun.map(({ name }) => name)
  for (const deadline = Date.now() + waitMs; ; await pause(200)) {
    const tables = await readTables(source, names)
    const waiting = tables.filter(({ state }) => state !== 'captured' && state !== 'refused' && state !== 'gone')
    if (waiting.length === 0 || Date.now() >= deadline) return tables
    const inVain = await whyInVain?.()
    if (inVain !== undefined) throw new Error(inVain)
    onProgress(waiting.map(({ name, why }) => `${name} ${why}`).join(', '))
  }
}

async function readTables(source: pg.ClientBase, names: readonly string[]): Promise<ResyncedTable[]> {
  const { rows } = await source.query<ResyncedTable>(
    `select w.name, coalesce(t.generation, 0) as generation, coalesce(t.state, 'gone') as state, u.why
     from unnest($1::text[]) as w (name)
     left join tidemark.captured_table t on t.schema_name || '.' || t.table_name = w.name
     left join tidemark.uncaptured u on u.schema_name = t.schema_name and u.table_name = t.table_name`,
    [names],
  )
  return rows
}
