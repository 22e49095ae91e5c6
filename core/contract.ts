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

/**
 * What tells the rows of two contracts apart, in words, or undefined where one table holds the rows of both.
 * Publication and version may differ.
 */
export function shapeDifference(before: TableContract, after: TableContract): string | undefined {
  if (before.schema !== after.schema || before.table !== after.table) {
    return `it was renamed from ${before.schema}.${before.table} to ${after.schema}.${after.table}`
  }
  const was = new Map(before.columns.map((column) => [column.number, column]))
  for (const column of after.columns) {
    const old = was.get(column.number)
    was.delete(column.number)
    if (old === undefined) return `column ${column.name} was added`
    if (old.name !== column.name) return `column ${old.name} was renamed to ${column.name}`
    if (old.type !== column.type) return `column ${column.name} changed its type from ${old.type} to ${column.type}`
    if (old.key !== column.key) return `column ${column.name} entered, left or moved in the primary key`
  }
  for (const gone of was.values()) return `column ${gone.name} was dropped`
  return undefined
}
