import pg from 'pg'
import { type ColumnContract, keyColumns, type TableContract } from '#core/contract.ts'

/** Values of a row's key columns, as Postgres writes them, in the order of the key. */
export type Key = string[]

const integerTypes = ['smallint', 'integer', 'bigint']

/**
 * `order by` terms that put rows of the table in one order in every database, whatever its collation: integers by
 * value, everything else by the bytes of its text.
 */
export function keyOrder(contract: TableContract): string {
  return keyColumns(contract)
    .map((column) => {
      const name = pg.escapeIdentifier(column.name)
      return isInteger(column) ? name : `${name}::text collate "C"`
    })
    .join(', ')
}

/** Compares two keys in the order of `keyOrder`. */
export function makeCompareKeys(contract: TableContract): (a: Key, b: Key) => number {
  const comparisons = keyColumns(contract).map((column) => (isInteger(column) ? compareIntegers : compareBytes))
  return (a, b) => {
    for (const [index, compare] of comparisons.entries()) {
      const order = compare(a[index]!, b[index]!)
      if (order !== 0) return order
    }
    return 0
  }
}

function isInteger(column: ColumnContract): boolean {
  return integerTypes.includes(column.type)
}

function compareIntegers(a: string, b: string): number {
  const difference = BigInt(a) - BigInt(b)
  return difference < 0n ? -1 : Number(difference > 0n)
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
