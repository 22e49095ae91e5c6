import pg from 'pg'
import type { Choice } from './choice.ts'
import type { Column, SchemaFacts, Table } from './schema-facts.ts'

/** The input for making a statement. */
export type StatementContext = SchemaFacts & {
  choice: Choice
  /** A name that the history has not used. */
  newName(kind: string): string
  /** Whether the session is in a transaction. */
  inTransaction: boolean
}

/** The statements of one step; none when the schema has no suitable object. */
export type MakeStatements = (context: StatementContext) => string[]

export const quote = (name: string): string => pg.escapeIdentifier(name)

/** One of the tables that fit, or undefined. */
export function anyTable({ choice, tables }: StatementContext, fits: (table: Table) => boolean = () => true) {
  return choice.of(tables.filter(fits))
}

/** One of the columns that fit, with its table, or undefined. */
export function anyColumn(context: StatementContext, fits: (column: Column, table: Table) => boolean) {
  const found = context.tables.flatMap((table) =>
    table.columns.filter((column) => fits(column, table)).map((column) => ({ table, column })),
  )
  return context.choice.of(found)
}

/** Whether the column can have an index: it is not computed, and Postgres can compare its values. */
export const isIndexable = ({ generated, type }: Column): boolean => !generated && !/\[\]|json/.test(type)

/** Whether the column is in the primary key. */
export const isKey = (column: Column, table: Table): boolean => table.key.includes(column.name)
