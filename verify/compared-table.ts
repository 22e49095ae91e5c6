import pg from 'pg'
import { type ColumnContract, keyColumns, type TableContract } from '#core/contract.ts'

/** A table in the form that is needed to ask both databases for its rows. */
export type ComparedTable = {
  /** `schema.table`. */
  name: string
  /** The name as quoted identifiers. */
  identifier: string
  columns: ColumnContract[]
  /** The key columns in key order. Empty if no key identifies rows; then equal rows are counted. */
  key: ColumnContract[]
  /** The captured relations whose rows it has. */
  relations: number[]
  /** The text after `from` for each side. */
  from: { source: string; target: string }
  /** It changes if DDL changes what is compared. */
  shape: string
}

/**
 * Every captured table, and every partitioned table above one. A table from which others inherit also has their rows,
 * as its view in the target has; these rows are not identified by keys.
 */
export function comparedTables(contracts: TableContract[]): ComparedTable[] {
  const below = new Map<string, TableContract[]>()
  for (const contract of contracts) {
    for (const parent of contract.parents) {
      const parentName = identifierOf(parent)
      below.set(parentName, [...(below.get(parentName) ?? []), contract])
    }
  }
  const own = contracts.map((contract) => {
    const heirs = below.get(identifierOf(contract)) ?? []
    below.delete(identifierOf(contract))
    return heirs.length === 0 ? plainTable(contract) : parentTable(contract, [contract, ...heirs], contract.columns)
  })
  const partitioned = [...below.values()].flatMap((leaves) => {
    const parent = leaves[0]!.parents.find((one) => below.get(identifierOf(one)) === leaves)!
    return parentTable(parent, leaves, commonColumns(leaves))
  })
  return [...own, ...partitioned]
}

function plainTable(contract: TableContract): ComparedTable {
  const identifier = identifierOf(contract)
  return {
    ...named(contract, contract.columns, [contract.relation]),
    key: keyColumns(contract),
    from: { source: `only ${identifier}`, target: identifier },
  }
}

function parentTable(
  table: { schema: string; table: string },
  holding: TableContract[],
  columns: ColumnContract[],
): ComparedTable {
  const identifier = identifierOf(table)
  const relations = holding.map(({ relation }) => relation)
  const source = `(select * from ${identifier} where tableoid in (${relations.join(', ')}))`
  return { ...named(table, columns, relations), key: [], from: { source, target: identifier } }
}

function named(table: { schema: string; table: string }, columns: ColumnContract[], relations: number[]) {
  return {
    name: `${table.schema}.${table.table}`,
    identifier: identifierOf(table),
    columns,
    relations,
    shape: JSON.stringify([columns, relations]),
  }
}

function commonColumns(tables: TableContract[]): ColumnContract[] {
  return tables[0]!.columns.filter(({ name }) =>
    tables.every(({ columns }) => columns.some((column) => column.name === name)),
  )
}

function identifierOf({ schema, table }: { schema: string; table: string }): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`
}
