import type { AppliedTable } from '#core/tables/table-register.ts'
import { keyText } from './key-text.ts'
import { allPlaces, storedName } from './latest-state-statements.ts'

/** How the columns op and place of `tidemark_rows.change` say what a change was. */
export const letters = { create: 'c', update: 'u', delete: 'd', 'initial read': 'r', 'later read': 'r' } as const

/** How the statement begins that keeps changes. */
export const target = `insert into tidemark_rows.change
  (committed_at, relation, key_hash, ordinal, lsn, txid, epoch, generation, version, op, key, before, after)`

/** The row as texts of its values: those that were sent, or those that Postgres writes. */
export const image = (table: AppliedTable, alias: string, isTyped: boolean): string =>
  `array[${allPlaces(table).map((place) => `${alias}.${storedName(table, place)}${isTyped ? '::text' : ''}`)}]`

/** A value that was sent, as one of its column's type. */
export const typed = (table: AppliedTable, place: number): string =>
  `i.${storedName(table, place)}::${table.columns[place]!.carried}`

/** The key's values as texts; those that are equal as one. */
export const keyTexts = (table: AppliedTable): string =>
  `array[${table.keyPlaces.map((place) => keyTextOf(table, place))}]`

const keyTextOf = (table: AppliedTable, place: number): string =>
  keyText(table.columns[place]!.carried, `i.${storedName(table, place)}`, `(${typed(table, place)})`)
