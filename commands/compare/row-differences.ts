import pg from 'pg'
import { keyColumns, type TableContract } from '#core/contract.ts'
import type { DatabaseSession } from './database-session.ts'
import type { Key } from './table-key.ts'
import { type Watermark, waitUntilVisible } from './watermark.ts'

/** Values of a row by the contract's columns, as Postgres writes them; null for SQL's null. */
export type Row = (string | null)[]

/** A row that differs; undefined on the side where it is absent. */
export type RowDifference = { key: Key; source: Row | undefined; target: Row | undefined }

/** What became of rows that looked different while changes may have been on their way. */
export type Verdict = {
  differing: RowDifference[]
  /** Rows the source changed every time they were looked at. */
  changing: Key[]
}

/** Times a row that keeps changing is looked at. */
const mostLooks = 20

/**
 * Tells rows that differ from rows that were only on their way. A row differs when the target shows another one than
 * the source had before everything up to then became visible, and the source still has it afterwards.
 */
export async function judge(contract: TableContract, keys: Key[], watermark: Watermark): Promise<Verdict> {
  const read = (session: DatabaseSession, some: Key[]) => readRows(session, contract, some)
  const differing: RowDifference[] = []
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

/** The rows of the given keys; a key without a row has no entry. */
async function readRows(session: DatabaseSession, contract: TableContract, keys: Key[]): Promise<Map<Key, Row>> {
  if (keys.length === 0) return new Map()
  const columns = keyColumns(contract)
  const names = columns.map(({ name }) => pg.escapeIdentifier(name)).join(', ')
  const arrays = columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ')
  const table = `${pg.escapeIdentifier(contract.schema)}.${pg.escapeIdentifier(contract.table)}`
  const rows = await session.queryText(
    `select wanted.place::text, ${contract.columns.map(({ name }) => `it.${pg.escapeIdentifier(name)}`).join(', ')}
    from unnest(${arrays}) with ordinality as wanted (${names}, place)
    join ${table} as it using (${names})`,
    columns.map((_, index) => keys.map((key) => key[index])),
  )
  return new Map(rows.map(([place, ...values]) => [keys[Number(place) - 1]!, values]))
}

function isSame(a: Row | undefined, b: Row | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.every((value, index) => value === b[index])
}
