import pg from 'pg'
import type { ColumnContract } from '#core/contract.ts'
import type { ComparedTable } from './compared-table.ts'
import { copyValues } from './copy-text.ts'

/**
 * What tells a row from others, as Postgres writes it: the values of the key's columns in the order of the key, or the
 * digest of the whole row where the table has no key.
 */
export type Key = string[]

/** How the rows of a table are listed as lines of COPY, in one order in every database whatever its collation. */
export type RowListing = {
  /** The whole rows in the order of their keys, or their digests in order, a line each. */
  select(side: 'source' | 'target'): string
  keyOf(line: string): Key
  compareKeys(a: Key, b: Key): number
}

const integerTypes = ['smallint', 'integer', 'bigint']
const ownTextTypes = /^(text|character varying(\(\d+\))?|uuid)$/

/** Lists whole rows by key; of a table without a key digests, so that each line is short and equal rows stay apart. */
export function listRows(table: ComparedTable): RowListing {
  return table.key.length > 0 ? listByKey(table) : listByDigest(table)
}

/** 32 bytes that are the same where every column is written the same. `it` stands for the row. */
export function digestOf({ columns }: ComparedTable): string {
  return `sha256(convert_to(row(${valuesOf(columns)})::text, 'UTF8'))`
}

/** The columns of a row called `it`. */
export function valuesOf(columns: ColumnContract[]): string {
  return columns.map(({ name }) => `it.${pg.escapeIdentifier(name)}`).join(', ')
}

function listByDigest(table: ComparedTable): RowListing {
  return {
    select: (side) => `select ${digestOf(table)} from ${table.from[side]} as it order by 1`,
    keyOf: copyValues as (line: string) => Key,
    compareKeys: ([a], [b]) => compareBytes(a!, b!),
  }
}

function listByKey(table: ComparedTable): RowListing {
  const order = table.key.map(orderTerm).join(', ')
  const places = table.key.map((column) => table.columns.indexOf(column))
  const comparisons = table.key.map((column) => (isInteger(column) ? compareIntegers : compareBytes))
  return {
    select: (side) => `select ${valuesOf(table.columns)} from ${table.from[side]} as it order by ${order}`,
    keyOf: (line) => {
      const values = copyValues(line)
      return places.map((place) => values[place]!)
    },
    compareKeys: (a, b) => {
      for (const [index, compare] of comparisons.entries()) {
        const order = compare(a[index]!, b[index]!)
        if (order !== 0) return order
      }
      return 0
    },
  }
}

/** Integers by value, everything else by the bytes that COPY writes: a cast to text pads and masks otherwise. */
function orderTerm(column: ColumnContract): string {
  const value = `it.${pg.escapeIdentifier(column.name)}`
  if (isInteger(column)) return value
  const text = ownTextTypes.test(column.carried) ? `${value}::text` : `format('%s', ${value})`
  // The other database may have another encoding, and with it another order of bytes.
  return `convert_to(${text}, 'UTF8')`
}

function isInteger({ carried }: ColumnContract): boolean {
  return integerTypes.includes(carried)
}

function compareIntegers(a: string, b: string): number {
  const difference = BigInt(a) - BigInt(b)
  return difference < 0n ? -1 : Number(difference > 0n)
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
