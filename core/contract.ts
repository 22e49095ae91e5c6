import * as v from 'valibot'

const columnSchema = v.object({
  /** pg_attribute.attnum: the column's identity through renames. */
  number: v.number(),
  name: v.string(),
  /** format_type(atttypid, atttypmod), e.g. `numeric(12,2)`, `timestamp without time zone`, `integer[]`. */
  type: v.string(),
  nullable: v.boolean(),
  /** Generated columns are absent from streamed changes. */
  generated: v.boolean(),
  /** Place in the primary key from 1, or null. */
  key: v.nullable(v.number()),
})

const contractSchema = v.object({
  /** pg_class.oid. */
  relation: v.number(),
  /** 1, 2, 3 … per relation. */
  version: v.number(),
  schema: v.string(),
  table: v.string(),
  /** The relation no longer exists from here on. */
  dropped: v.boolean(),
  /** Whether the publication already held the table when the contract was written; if not, capture is pending. */
  published: v.boolean(),
  /** Why the table cannot be captured, or null. */
  refusal: v.nullable(v.string()),
  replicaIdentity: v.picklist(['default', 'full', 'index', 'nothing']),
  /** Captured columns in attribute order; excluded ones are absent. */
  columns: v.array(columnSchema),
})

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

/** The columns of the primary key, in key order; empty for a table without one. */
export function keyColumns(contract: TableContract): ColumnContract[] {
  return contract.columns.filter((column) => column.key !== null).sort((a, b) => a.key! - b.key!)
}
