import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { declareIndex, makeMissingIndexes, type UserIndex } from '#adapters/postgres/maintenance/user-indexes.ts'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'

/** A user who declares indexes in the target while a history is played. */
export type IndexingUser = {
  /**
   * Stops declaring and makes what is missing. Returns how many indexes were declared, and those that are not on the
   * rows of their table although nothing says why.
   */
  end(): Promise<{ declared: number; missing: string[] }>
}

/** Declares indexes on the columns of tables whose names start with `prefix`, until it is ended. */
export function declareIndexesMeanwhile(targetUrl: string, prefix: string): IndexingUser {
  const stop = new AbortController()
  const making = clientOfUrl(targetUrl, 'indexes')
  const watching = clientOfUrl(targetUrl, 'indexes')
  let declared = 0
  const declaring = (async () => {
    await Promise.all([making.connect(), watching.connect()])
    for (let round = 0; !stop.signal.aborted; round++) {
      const columns = await columnsOf(making, prefix)
      const column = columns[round % Math.max(1, columns.length)]
      if (column !== undefined && (await declare(making, column, round))) declared += 1
      if (round % 5 === 4) await makeMissingIndexes({ making, watching }, null, () => undefined)
      await pause(100, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  })()
  declaring.catch(() => undefined)
  return {
    async end() {
      stop.abort()
      try {
        await declaring
        let missing: string[] = []
        // The user of another history may be making an index, which is unfinished meanwhile.
        for (let round = 0; round < 50; round++) {
          missing = unexplained(await makeMissingIndexes({ making, watching }, null, () => undefined), prefix)
          if (missing.length === 0) break
          await pause(200)
        }
        return { declared, missing }
      } finally {
        await Promise.all([making.end(), watching.end()])
      }
    },
  }
}

const unexplained = (indexes: readonly UserIndex[], prefix: string): string[] =>
  indexes
    .filter(({ table }) => table.startsWith(`public.${prefix}`))
    .filter(({ state, problem }) => state !== 'made' && state !== 'no table' && problem === null)
    .map(({ table, definition, state }) => `the index on ${table} ${definition} is ${state}`)

type Column = { table: string; column: string }

async function columnsOf(client: pg.Client, prefix: string): Promise<Column[]> {
  const { rows } = await client.query<Column>(
    `select s.schema_name || '.' || s.table_name as table, a.attname as column
     from tidemark.shown_view s
     join pg_attribute a on a.attrelid = s.view and a.attnum > 0 and not a.attisdropped
     where starts_with(s.table_name, $1)
     order by 1, a.attnum`,
    [prefix],
  )
  return rows
}

/** Whether the index was declared. */
async function declare(client: pg.Client, { table, column }: Column, round: number): Promise<boolean> {
  const name = pg.escapeIdentifier(column)
  const definitions = [
    `(${name})`,
    `(md5(${name}::text))`,
    `(${name}) where ${name} is not null`,
    `using hash (${name})`,
  ]
  try {
    await declareIndex(client, { table, definition: definitions[round % definitions.length]!, name: `i${round}` })
    return true
  } catch (error) {
    // Types without an order, expressions that are not immutable, and columns that were dropped meanwhile are refused.
    if (!(error instanceof pg.DatabaseError)) throw error
    return false
  }
}
