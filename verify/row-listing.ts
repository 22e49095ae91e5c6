import pg from 'pg'
import type { ColumnContract } from '#core/contract.ts'
import type { ComparedTable } from './compared-table.ts'
import { copyValues } from './copy-text.ts'

/**
 * The identity of a row, as Postgres writes it: the values of the key columns in the order of the key, or the digest of
 * the whole row if the table has no key.
 */
export type Key = string[]

/**
 * How the rows of a table are listed as lines of COPY. The order is the same in every database, whatever its collation
 * is.
 */
export type RowListing = {
  /** A query for whole rows in the order of their keys, or for digests in order; one line for each. */
  select(side: 'source' | 'target'): string
  keyOf(line: string): Key
  compareKeys(a: Key, b: Key): number
}

const integerTypes = ['smallint', 'integer', 'bigint']
const ownTextTypes = /^(text|character varying(\(\d+\))?|uuid)$/

/**
 * Lists whole rows by key. For a table without a key it lists digests, so that each line is short, and equal rows are
 * separate lines.
 */
export function listRows(table: ComparedTable): RowListing {
  return table.key.length > 0 ? listByKey(table) : listByDigest(table)
}

/** SQL for 32 bytes that are equal if every column is written in the same way. `it` stands for the row. */
export function digestOf({ columns }: ComparedTable): string {
  return `sha256(convert_to(row(${valuesOf(columns)})::text, 'UTF8'))`
}

/** SQL for the columns of a row that is called `it`. */
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

/**
 * Integers are ordered by value, and everything else by the bytes that COPY writes, because a cast to text changes some
 * types, such as padded ones.
 */
function orderTerm(column: ColumnContract): string {
  const value = `it.${pg.escapeIdentifier(column.name)}`
  if (isInteger(column)) return value
  const text = ownTextTypes.test(column.carried) ? `${value}::text` : `format('%s', ${value})`
  // The other database may have another encoding, in which the order of bytes is different.
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
