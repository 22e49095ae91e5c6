import * as v from 'valibot'
import { isPostgresName } from './wire-envelope.ts'

const name = v.pipe(v.string(), v.check(isPostgresName, 'is no name that Postgres could have given'))
const whole = (from: number, to: number) => v.pipe(v.number(), v.integer(), v.minValue(from), v.maxValue(to))
const text = v.pipe(v.string(), v.excludes('\0', 'holds a NUL'))

/** Columns that a table of Postgres can have. */
const mostColumns = 1_600

const columnSchema = v.object({
  /** pg_attribute.attnum: the column's identity through renames. */
  number: whole(1, mostColumns),
  name,
  /** format_type(atttypid, atttypmod) in the source, e.g. `numeric(12,2)`, `timestamp without time zone`, `mood[]`. */
  type: text,
  /** The type the target stores: of a domain its base type, of an enum or a composite `text`, else the type itself. */
  carried: text,
  /** `text`: Debezium does not know the type and sends Postgres's text in base64. */
  wire: v.picklist(['value', 'text']),
  nullable: v.boolean(),
  /** Streamed changes lack generated columns, but for stored ones since Postgres 18; their values are computed again. */
  generated: v.boolean(),
  /** What a generated column is computed from, in the source's column names; else null. */
  expression: v.nullable(text),
  /** Place in the key from 1, or null. */
  key: v.nullable(whole(1, 32)),
  /** What rows have that were there when the column was added, as text; null where that is null. */
  missing: v.nullable(text),
  /** Changes with the make-up of a user-defined type: the labels of an enum, the attributes of a composite. */
  definition: v.nullable(text),
})

const nameSchema = v.object({ schema: name, table: name })

const contractObject = v.object({
  /** pg_class.oid. */
  relation: whole(1, 2 ** 32 - 1),
  /** 1, 2, 3 … per relation. */
  version: whole(1, 2 ** 31 - 1),
  schema: name,
  table: name,
  /** The relation no longer exists from here on. */
  dropped: v.boolean(),
  /** Whether the publication already held the table when the contract was written; if not, capture is pending. */
  published: v.boolean(),
  /** Why the table cannot be captured, or null. */
  refusal: v.nullable(text),
  /** From 1; the rows are read anew in each, and rows of another generation are another table in the target. */
  generation: whole(1, 2 ** 31 - 1),
  /** Whether every row of the generation precedes the contract in its topic partition. */
  complete: v.boolean(),
  /** How many topic partitions the contract is written to. */
  topicPartitions: whole(1, 10_000),
  replicaIdentity: v.picklist(['default', 'full', 'index', 'nothing']),
  /** The tables whose rows include this one's, by partitioning or inheritance, at any distance. */
  parents: v.array(nameSchema),
  /** Captured columns in attribute order; excluded ones are absent. */
  columns: v.pipe(
    v.array(columnSchema),
    v.check((columns) => areDistinct(columns.map((column) => column.number)), 'two columns have one number'),
    v.check((columns) => areDistinct(columns.map((column) => column.name)), 'two columns have one name'),
  ),
})

/** A table is refused, too, because a column of its key is excluded: then a place is missing. */
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

/** What a captured relation looks like from its place in a topic partition on; the source writes it as JSON. */
export type TableContract = v.InferOutput<typeof contractSchema>

/** Reads a contract; throws an Error that names the first field that is not as it must be. */
export function parseContract(json: unknown): TableContract {
  const parsed = v.safeParse(contractSchema, json)
  if (parsed.success) return parsed.output
  const issue = parsed.issues[0]
  throw new Error(`table contract: ${v.getDotPath(issue) ?? 'value'}: ${issue.message}`)
}

/** The columns of the key, in key order; empty for a table without one, whose rows are counted. */
export function keyColumns(contract: TableContract): ColumnContract[] {
  return contract.columns.filter((column) => column.key !== null).sort((a, b) => a.key! - b.key!)
}

/**
 * Whether rows before and after are written differently, so that a change from before cannot be read by the contract
 * after. DDL that does this holds an exclusive lock on the table: such a change has a lower Lsn than the contract.
 */
export function changesShape(before: TableContract, after: TableContract): boolean {
  return shapeOf(before) !== shapeOf(after)
}

const shapeOf = ({ schema, table, dropped, columns }: TableContract): string =>
  JSON.stringify([schema, table, dropped, columns.map((c) => [c.number, c.name, c.type, c.generated, c.key])])
