import type { Column, Table } from './schema-facts.ts'
import { anyTable, isKey, type MakeStatements, quote, type StatementContext } from './statement.ts'
import { keyValueOf, valueFor } from './values.ts'

const insert: MakeStatements = (context) => insertRows(context, 1 + context.choice.below(20))

/** Inserts as many rows in one statement as a COPY does. */
const insertMany: MakeStatements = (context) => insertRows(context, 200 + context.choice.below(400))

const update: MakeStatements = (context) => {
  const table = anyTable(context)
  if (table === undefined) return []
  const columns = table.columns.filter((column) => isWritable(column) && !isKey(column, table))
  const chosen = columns.filter(() => context.choice.chance(40))
  if (chosen.length === 0) return []
  const values = chosen.map((column) => `${quote(column.name)} = ${keyOrValue(context, table, column)}`)
  return [
    `update ${quote(table.name)} set ${values.join(', ').replaceAll(/\bg\b/g, '7')} where ${someRows(context, table)}`,
  ]
}

const remove: MakeStatements = (context) => {
  const table = anyTable(context)
  return table === undefined ? [] : [`delete from ${quote(table.name)} where ${someRows(context, table)}`]
}

const changeKeys: MakeStatements = (context) => {
  const found = keyedBy(context, /^(integer|bigint|numeric)/)
  if (found === undefined) return []
  const { table, column } = found
  return [
    `update ${quote(table.name)} set ${column} = ${column} + ${1_000 + context.choice.below(50)} where ${someRows(context, table)}`,
  ]
}

/** Exchanges the keys of two rows in one transaction. */
const swapKeys: MakeStatements = (context) => {
  const found = keyedBy(context, /^(integer|bigint|numeric)/)
  if (found === undefined || found.table.key.length > 1) return []
  const { table, column } = found
  const name = quote(table.name)
  const swap = [
    `update ${name} set ${column} = -1 - ${column} where ${column} in ((select min(${column}) from ${name}), (select max(${column}) from ${name}))`,
    `update ${name} set ${column} = (select sum(-1 - ${column}) from ${name} where ${column} < 0) - (-1 - ${column}) where ${column} < 0`,
  ]
  return context.inTransaction ? swap : ['begin', ...swap, 'commit']
}

/** Deletes a row and inserts it again with the same key, in one transaction. */
const replaceRow: MakeStatements = (context) => {
  const table = anyTable(context, ({ isPartitioned }) => !isPartitioned)
  if (table === undefined) return []
  const columns = table.columns.filter(isWritable).map(({ name }) => quote(name))
  if (columns.length === 0) return []
  const all = columns.join(', ')
  return [
    `with gone as (delete from only ${quote(table.name)} where ${someRows(context, table)} returning ${all}) insert into ${quote(table.name)} (${all}) select ${all} from gone on conflict do nothing`,
  ]
}

const truncate: MakeStatements = (context) => {
  const table = anyTable(context)
  if (table === undefined) return []
  const { choice, tables } = context
  const others = tables.filter((other) => other !== table && choice.chance(25))
  const names = [table, ...others].map(({ name }) => quote(name))
  const options = choice.of(['', ' restart identity', ' cascade'])
  return [`truncate ${choice.chance(20) ? 'only ' : ''}${names.join(', ')}${options}`]
}

/** The steps that change rows. */
export const dataStatements = {
  insert,
  insertMany,
  update,
  delete: remove,
  changeKeys,
  swapKeys,
  replaceRow,
  truncate,
} satisfies Record<string, MakeStatements>

function insertRows(context: StatementContext, rows: number): string[] {
  const table = anyTable(context)
  if (table === undefined) return []
  const columns = table.columns.filter(
    (column) => isWritable(column) && (!column.identity || context.choice.chance(50)),
  )
  if (columns.length === 0) return [`insert into ${quote(table.name)} default values`]
  const names = columns.map(({ name }) => quote(name)).join(', ')
  const values = columns.map((column) => keyOrValue(context, table, column)).join(', ')
  return [
    `insert into ${quote(table.name)} (${names}) select ${values} from generate_series(1, ${rows}) g on conflict do nothing`,
  ]
}

function keyOrValue({ choice, enums }: StatementContext, table: Table, column: Column): string {
  if (isKey(column, table)) return keyValueOf(column.type, choice)
  const value = valueFor(column.type, choice, enums)
  return value === 'null' && column.notNull ? keyValueOf(column.type, choice) : value
}

const isWritable = (column: Column) => !column.generated

/** A condition that some or all rows satisfy. */
function someRows({ choice }: StatementContext, table: Table): string {
  if (choice.chance(8)) return 'true'
  const place = choice.below(12)
  return `(tableoid, ctid) in (select tableoid, ctid from ${quote(table.name)} order by tableoid, ctid limit ${1 + choice.below(5)} offset ${place})`
}

function keyedBy(context: StatementContext, type: RegExp) {
  const table = anyTable(context, ({ key, columns }) =>
    columns.some((column) => column.name === key[0] && type.test(column.type) && !column.generated),
  )
  return table && { table, column: quote(table.key[0]!) }
}
