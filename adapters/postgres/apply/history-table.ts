import type { AppliedTable } from '#core/tables/table-register.ts'
import { keyText } from './key-text.ts'
import { allPlaces, storedName } from './latest-state-statements.ts'

/** The values of the column `op` in `tidemark_rows.change`. */
export const letters = { create: 'c', update: 'u', delete: 'd', 'initial read': 'r', 'later read': 'r' } as const

/** The beginning of the statement that stores changes. */
export const target = `insert into tidemark_rows.change
  (committed_at, relation, key_hash, ordinal, lsn, txid, epoch, generation, version, op, key, before, after)`

/** A row as an array of texts: either those that were sent, or those that Postgres writes for the typed values. */
export const image = (table: AppliedTable, alias: string, isTyped: boolean): string =>
  `array[${allPlaces(table).map((place) => `${alias}.${storedName(table, place)}${isTyped ? '::text' : ''}`)}]`

/** A value that was sent, cast to the type of its column. */
export const typed = (table: AppliedTable, place: number): string =>
  `i.${storedName(table, place)}::${table.columns[place]!.carried}`

/** The values of the key as texts. Equal keys have one text. */
export const keyTexts = (table: AppliedTable): string =>
  `array[${table.keyPlaces.map((place) => keyTextOf(table, place))}]`

const keyTextOf = (table: AppliedTable, place: number): string =>
  keyText(table.columns[place]!.carried, `i.${storedName(table, place)}`, `(${typed(table, place)})`)
