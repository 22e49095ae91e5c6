/** A table of a workload. Every column except the key may be null, so that a row may have a key alone. */
export type WorkloadTable = {
  readonly name: string
  readonly key: string
  /** All columns with their types, the key included. */
  readonly columns: readonly (readonly [name: string, type: string])[]
}

/** One transaction: statements, or lines for a COPY into a table. */
export type WorkloadTransaction =
  | string
  | { readonly copyInto: string; readonly columns: readonly string[]; readonly lines: readonly string[] }

/** Changes that are the same in every run: the same rows, in the same transactions, with the same final state. */
export type Workload = {
  readonly name: string
  /** A description in one line. */
  readonly summary: string
  /** The number of rows, unless another is asked for. */
  readonly rows: number
  /** The tables. All of their names begin with the prefix. */
  tables(prefix: string): WorkloadTable[]
  transactions(prefix: string, rows: number): Iterable<WorkloadTransaction> | AsyncIterable<WorkloadTransaction>
  /** How many changes the transactions make. */
  changes(rows: number): number
}

/**
 * The number of rows with negative keys that the last transaction inserts into each table. It is large enough for every
 * topic partition to get some.
 */
const LAST_ROWS = 32

/**
 * The last transaction of a workload. A topic partition keeps its order, so everything before these rows is visible
 * when all of them are. The end of a workload is found by a look at an index, without offsets.
 */
export const lastTransaction = (tables: readonly WorkloadTable[]): string =>
  tables
    .map(({ name, key }) => `insert into public.${name} (${key}) select -n from generate_series(1, ${LAST_ROWS}) n`)
    .join(';\n')

/** A statement whose value `arrived` is true when the rows of the last transaction are there. */
export const hasArrived = (tables: readonly WorkloadTable[]): string =>
  `select ${tables.map(({ name, key }) => `(select count(*) from public.${name} where ${key} < 0)`).join(' + ')} = ${LAST_ROWS * tables.length} as arrived`

/** The number of changes of a whole workload, its last transaction included. */
export const allChanges = (workload: Workload, rows: number): number =>
  workload.changes(rows) + LAST_ROWS * workload.tables('t').length

/** A statement that creates the tables of a workload. */
export const createTables = (tables: readonly WorkloadTable[]): string =>
  tables
    .map(({ name, key, columns }) => {
      const definitions = columns.map(([column, type]) => `${column} ${type}${column === key ? ' primary key' : ''}`)
      return `create table public.${name} (${definitions.join(', ')})`
    })
    .join(';\n')

/**
 * A statement whose value `checksum` is equal for equal rows of a table, or for equal rows among those that satisfy a
 * condition.
 */
export const checksumOf = ({ name, key, columns }: WorkloadTable, condition = 'true'): string =>
  `select count(*) || ' ' || coalesce(md5(string_agg(md5(row(${columns.map(([column]) => column).join(', ')})::text), '' order by ${key})), '') as checksum
   from public.${name} where ${condition}`
