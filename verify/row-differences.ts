import pg from 'pg'
import type { ComparedTable } from './compared-table.ts'
import type { DatabaseSession } from './database-session.ts'
import { digestOf, type Key, valuesOf } from './row-listing.ts'
import { type Watermark, waitUntilVisible } from './watermark.ts'

/** The values of a row in the order of the table's columns, as Postgres writes them; null for an SQL null. */
export type Row = (string | null)[]

/** What one side has under a key: the digest of the row, and the number of such rows. */
type Held = { digest: string; rows: number }

/** A row that differs; undefined on the side that does not have it. */
export type Difference = { key: Key; source: Held | undefined; target: Held | undefined }

/** The result for rows that looked different while changes may have been under way. */
export type Verdict = {
  differing: Difference[]
  /** Rows that the source changed between every two looks. */
  changing: Key[]
}

/** How often a row is looked at that keeps changing. */
const mostLooks = 20

/**
 * Distinguishes rows that differ from rows whose changes were under way. A row differs if the target shows another one
 * than the source had before a beacon, after everything before this beacon became visible, and the source still has the
 * same row then. Rows are compared by their digests, so that large ones need no memory here.
 */
export async function judge(table: ComparedTable, keys: Key[], watermark: Watermark): Promise<Verdict> {
  const read = (session: DatabaseSession, some: Key[]) => readHeld(session, table, some)
  const differing: Difference[] = []
  let open = keys
  for (let look = 1; open.length > 0 && look <= mostLooks; look++) {
    const before = await read(watermark.source, open)
    await waitUntilVisible(watermark)
    const shown = await read(watermark.target, open)
    const unequal = open.filter((key) => !isSame(before.get(key), shown.get(key)))
    const after = await read(watermark.source, unequal)
    for (const key of unequal.filter((key) => isSame(before.get(key), after.get(key)))) {
      differing.push({ key, source: before.get(key), target: shown.get(key) })
    }
    open = unequal.filter((key) => !isSame(before.get(key), after.get(key)))
  }
  return { differing, changing: open }
}

/** The row of a key, or one of its equal rows; undefined if there is none. */
export async function readRow(session: DatabaseSession, table: ComparedTable, key: Key): Promise<Row | undefined> {
  const { from, parameters } = rowsOf(session, table, [key])
  const rows = await session.queryText(`select ${valuesOf(table.columns)} ${from} limit 1`, parameters)
  return rows[0]
}

/** What a database has under each key. A key without a row has no entry. */
async function readHeld(session: DatabaseSession, table: ComparedTable, keys: Key[]): Promise<Map<Key, Held>> {
  if (keys.length === 0) return new Map()
  const { from, parameters } = rowsOf(session, table, keys)
  const rows = await session.queryText(
    `select held.place::text, min(held.digest), count(*)::text
    from (select wanted.place, encode(${digestOf(table)}, 'hex') as digest ${from}) as held
    group by held.place`,
    parameters,
  )
  return new Map(
    rows.map(([place, digest, count]) => [keys[Number(place) - 1]!, { digest: digest!, rows: Number(count) }]),
  )
}

/**
 * A from-clause that joins the rows of the keys, as `it`, with the places of the keys in the list, as `wanted.place`
 * from 1.
 */
function rowsOf(
  { side }: DatabaseSession,
  table: ComparedTable,
  keys: Key[],
): { from: string; parameters: string[][] } {
  if (table.key.length === 0) {
    return {
      from: `from ${table.from[side]} as it
        join unnest($1::bytea[]) with ordinality as wanted (digest, place) on wanted.digest = ${digestOf(table)}`,
      parameters: [keys.map(([digest]) => digest!)],
    }
  }
  // Values are sent as text and cast one by one, because `unnest` would flatten arrays of arrays.
  const names = table.key.map((_, index) => `k${index + 1}`)
  const matches = table.key.map((column, index) => {
    const type = side === 'source' ? column.type : column.carried
    return `it.${pg.escapeIdentifier(column.name)} = wanted.${names[index]}::${type}`
  })
  return {
    from: `from unnest(${names.map((_, index) => `$${index + 1}::text[]`).join(', ')}) with ordinality
        as wanted (${names.join(', ')}, place)
      join ${table.from[side]} as it on ${matches.join(' and ')}`,
    parameters: names.map((_, index) => keys.map((key) => key[index]!)),
  }
}

function isSame(a: Held | undefined, b: Held | undefined): boolean {
  return a?.digest === b?.digest && a?.rows === b?.rows
}
