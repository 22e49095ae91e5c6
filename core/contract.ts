import * as v from 'valibot'
import { isPostgresName } from './wire/wire-envelope.ts'

const name = v.pipe(v.string(), v.check(isPostgresName, 'is not a name that Postgres could have given'))
const whole = (from: number, to: number) => v.pipe(v.number(), v.integer(), v.minValue(from), v.maxValue(to))
const text = v.pipe(v.string(), v.excludes('\0', 'holds a NUL'))

/** The most columns that a Postgres table can have. */
const mostColumns = 1_600

const columnSchema = v.object({
  /** pg_attribute.attnum, which stays the same when the column is renamed. */
  number: whole(1, mostColumns),
  name,
  /** format_type(atttypid, atttypmod) in the source, e.g. `numeric(12,2)`, `timestamp without time zone`, `mood[]`. */
  type: text,
  /**
   * The type that the target stores: a domain's base type, `text` for an enum or a composite, otherwise the type
   * itself.
   */
  carried: text,
  /** `text`: Debezium does not know the type, and sends Postgres's text in base64. */
  wire: v.picklist(['value', 'text']),
  nullable: v.boolean(),
  /**
   * Streamed changes lack generated columns, except stored ones since Postgres 18. The target computes their values.
   */
  generated: v.boolean(),
  /** The expression of a generated column, with the source's column names; null for other columns. */
  expression: v.nullable(text),
  /** Place in the key, from 1; null outside of the key. */
  key: v.nullable(whole(1, 32)),
  /** The value, as text, of rows that existed when the column was added; null when that value is null. */
  missing: v.nullable(text),
  /** Changes when a user-defined type changes: the labels of an enum, or the attributes of a composite. */
  definition: v.nullable(text),
})

const nameSchema = v.object({ schema: name, table: name })

const contractObject = v.object({
  /** pg_class.oid. */
  relation: whole(1, 2 ** 32 - 1),
  /** Counts 1, 2, 3 … per relation. */
  version: whole(1, 2 ** 31 - 1),
  schema: name,
  table: name,
  /** Whether the relation was dropped and does not exist from here on. */
  dropped: v.boolean(),
  /** Whether the table was in the publication when the contract was written. If not, it still waits for capture. */
  published: v.boolean(),
  /** Why the table cannot be captured, or null. */
  refusal: v.nullable(text),
  /** Counts from 1. The rows are read again in each generation, and each generation has its own table in the target. */
  generation: whole(1, 2 ** 31 - 1),
  /** Whether every row of the generation precedes the contract in its topic partition. */
  complete: v.boolean(),
  /** How many topic partitions the contract is written to. */
  topicPartitions: whole(1, 10_000),
  replicaIdentity: v.picklist(['default', 'full', 'index', 'nothing']),
  /** All tables that this one is a partition of or inherits from, also indirectly: their rows include its rows. */
  parents: v.array(nameSchema),
  /** Captured columns in attribute order; excluded ones are absent. */
  columns: v.pipe(
    v.array(columnSchema),
    v.check((columns) => areDistinct(columns.map((column) => column.number)), 'two columns have one number'),
    v.check((columns) => areDistinct(columns.map((column) => column.name)), 'two columns have one name'),
  ),
})

/** A table can be refused because a column of its key is excluded. Then a place of the key is missing. */
const contractSchema = v.pipe(
  contractObject,
  v.check(({ refusal, columns }) => {
    const places = columns.flatMap((column) => column.key ?? [])
    return areDistinct(places) && (refusal !== null || Math.max(0, ...places) === places.length)
  }, 'the places of its key are not 1, 2, 3 …'),
  v.check(
    ({ schema, table, parents }) =>
      areDistinct([{ schema, table }, ...parents].map((each) => JSON.stringify([each.schema, each.table]))),
    'it is its own parent, or one is named twice',
  ),
)

const areDistinct = (values: readonly unknown[]): boolean => new Set(values).size === values.length

/** A column as the contract describes it. */
export type ColumnContract = v.InferOutput<typeof columnSchema>

/**
 * A version of the schema of a captured relation, in force from its place in a topic partition on. The source writes it
 * as JSON.
 */
export type TableContract = v.InferOutput<typeof contractSchema>

/** Reads a contract. Throws an Error that names the first field which is not valid. */
export function parseContract(json: unknown): TableContract {
  const parsed = v.safeParse(contractSchema, json)
  if (parsed.success) return parsed.output
  const issue = parsed.issues[0]
  throw new Error(`table contract: ${v.getDotPath(issue) ?? 'value'}: ${issue.message}`)
}

/** The columns of the key, in key order; empty for a keyless table, whose rows are counted. */
export function keyColumns(contract: TableContract): ColumnContract[] {
  return contract.columns.filter((column) => column.key !== null).sort((a, b) => a.key! - b.key!)
}

/**
 * Whether the two contracts describe rows that are written differently, so that the contract `after` cannot be used to
 * read a change from before it. DDL that does this holds an exclusive lock on the table, so such a change has a lower
 * Lsn than the contract.
 */
export function changesShape(before: TableContract, after: TableContract): boolean {
  return shapeOf(before) !== shapeOf(after)
}

const shapeOf = ({ schema, table, dropped, columns }: TableContract): string =>
  JSON.stringify([schema, table, dropped, columns.map((c) => [c.number, c.name, c.type, c.generated, c.key])])
