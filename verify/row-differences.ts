import pg from 'pg'
import type { ComparedTable } from './compared-table.ts'
import type { DatabaseSession } from './database-session.ts'
import { digestOf, type Key, valuesOf } from './row-listing.ts'
import { type Watermark, waitUntilVisible } from './watermark.ts'

/** Values of a row by the table's columns, as Postgres writes them; null for SQL's null. */
export type Row = (string | null)[]

/** What one side has under a key: the digest of the row, and how many such rows there are. */
type Held = { digest: string; rows: number }

/** A row that differs; undefined on the side where it is absent. */
export type Difference = { key: Key; source: Held | undefined; target: Held | undefined }

/** What became of rows that looked different while changes may have been on their way. */
export type Verdict = {
  differing: Difference[]
  /** Rows the source changed every time they were looked at. */
  changing: Key[]
}

/** Times a row that keeps changing is looked at. */
const mostLooks = 20

/**
 * Tells rows that differ from rows that were only on their way. A row differs when the target shows another one than
 * the source had before everything up to then became visible, and the source still has it afterwards. Rows are told
 * apart by their digests, so that large ones take no memory here.
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

/** The row of a key, or one of its equal rows; undefined where there is none. */
export async function readRow(session: DatabaseSession, table: ComparedTable, key: Key): Promise<Row | undefined> {
  const { from, parameters } = rowsOf(session, table, [key])
  const rows = await session.queryText(`select ${valuesOf(table.columns)} ${from} limit 1`, parameters)
  return rows[0]
}

/** What a database has under each key; a key without a row has no entry. */
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

/** From-clause that joins the rows of the keys, called `it`, with the keys' places in the list, `wanted.place` from 1. */
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
  // Values travel as text and are cast one by one: unnest would take arrays of arrays apart.
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
