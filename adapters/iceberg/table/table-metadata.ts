import * as v from 'valibot'
import { type ExactJson, parseExactJson } from './exact-json.ts'

/** A column of a table schema. Nested types stay as JSON. */
export type SchemaField = {
  readonly id: number
  readonly name: string
  readonly required: boolean
  readonly type: unknown
  readonly doc?: string | undefined
}

export type TableSchema = {
  readonly type: 'struct'
  readonly 'schema-id'?: number | undefined
  readonly fields: readonly SchemaField[]
}

export type PartitionField = {
  readonly 'source-id': number
  readonly 'field-id': number
  readonly name: string
  readonly transform: string
}

/** A partition spec: how the values of table partitions are computed. */
export type PartitionSpec = { readonly 'spec-id': number; readonly fields: readonly PartitionField[] }

export type SortField = {
  readonly 'source-id': number
  readonly transform: string
  readonly direction: string
  readonly 'null-order': string
}

export type SortOrder = { readonly 'order-id': number; readonly fields: readonly SortField[] }

/** A table snapshot. */
export type TableSnapshot = {
  readonly 'snapshot-id': bigint
  readonly 'parent-snapshot-id'?: bigint | undefined
  readonly 'sequence-number': number
  readonly 'timestamp-ms': number
  readonly 'manifest-list': string
  readonly summary: Readonly<Record<string, string>>
  readonly 'schema-id'?: number | undefined
}

export type SnapshotRef = { readonly 'snapshot-id': bigint; readonly type: string }

/**
 * The used members of table metadata, under the names in Appendix C of the specification. Ids of table snapshots are
 * bigint, and `current-snapshot-id` is undefined if there is none, in whichever form the catalog writes that. Other
 * members are kept unchanged.
 */
export type TableMetadata = {
  readonly 'format-version': number
  readonly 'table-uuid': string
  readonly location: string
  readonly 'last-sequence-number': number
  readonly 'last-updated-ms': number
  readonly schemas: readonly TableSchema[]
  readonly 'current-schema-id': number
  readonly 'partition-specs': readonly PartitionSpec[]
  readonly 'default-spec-id': number
  readonly 'sort-orders': readonly SortOrder[]
  readonly 'default-sort-order-id': number
  readonly properties: Readonly<Record<string, string>>
  readonly 'current-snapshot-id': bigint | undefined
  readonly snapshots: readonly TableSnapshot[]
  readonly refs: Readonly<Record<string, SnapshotRef>>
}

/** Table metadata does not follow the specification; `message` names what is wrong. */
export class TableMetadataError extends Error {
  override readonly name = 'TableMetadataError'
}

const snapshotId = v.pipe(
  v.union([v.pipe(v.number(), v.integer()), v.bigint()]),
  v.transform((id) => BigInt(id)),
)

/** If there is no table snapshot yet, Java writes -1, and other writers write null or nothing. */
const snapshotIdOrNone = v.pipe(
  v.nullish(snapshotId),
  v.transform((id) => (id === null || id === undefined || id < 0n ? undefined : id)),
)

const number = v.pipe(v.number(), v.safeInteger())
const texts = v.record(v.string(), v.string())

const tableSnapshotSchema = v.looseObject({
  'snapshot-id': snapshotId,
  'parent-snapshot-id': v.optional(snapshotIdOrNone),
  'sequence-number': v.optional(number, 0),
  'timestamp-ms': number,
  'manifest-list': v.string(),
  summary: v.optional(texts, {}),
  'schema-id': v.optional(number),
})

const tableMetadataSchema = v.looseObject({
  'format-version': number,
  'table-uuid': v.string(),
  location: v.string(),
  'last-sequence-number': v.optional(number, 0),
  'last-updated-ms': number,
  schemas: v.array(v.looseObject({ type: v.literal('struct'), fields: v.array(v.looseObject({ id: number })) })),
  'current-schema-id': number,
  'partition-specs': v.array(
    v.looseObject({ 'spec-id': number, fields: v.array(v.looseObject({ name: v.string() })) }),
  ),
  'default-spec-id': number,
  'sort-orders': v.optional(v.array(v.looseObject({ 'order-id': number })), []),
  'default-sort-order-id': v.optional(number, 0),
  properties: v.optional(texts, {}),
  'current-snapshot-id': v.optional(snapshotIdOrNone),
  snapshots: v.optional(v.nullable(v.array(tableSnapshotSchema), []), []),
  refs: v.optional(v.record(v.string(), v.looseObject({ 'snapshot-id': snapshotId, type: v.string() })), {}),
})

/** Reads table metadata from the JSON of a metadata file. Throws a TableMetadataError. */
export function parseTableMetadata(text: string): TableMetadata {
  return readTableMetadata(parseExactJson(text))
}

/** Reads table metadata from parsed JSON, as a catalog's answer holds it. Throws a TableMetadataError. */
export function readTableMetadata(json: ExactJson | undefined): TableMetadata {
  const parsed = v.safeParse(tableMetadataSchema, json)
  if (!parsed.success) {
    const fields = parsed.issues.map((issue) => v.getDotPath(issue) ?? 'metadata')
    throw new TableMetadataError(`table metadata is not what the specification says; wrong: ${fields.join(', ')}`)
  }
  return parsed.output as unknown as TableMetadata
}

/**
 * The table snapshot that readers see; undefined if there is none. Throws a TableMetadataError if the metadata does not
 * have it, or if it is not that of branch main: an append to it would drop every earlier row.
 */
export function currentSnapshot(metadata: TableMetadata): TableSnapshot | undefined {
  const id = metadata['current-snapshot-id']
  const main = metadata.refs['main']?.['snapshot-id']
  if (main !== undefined && main !== id) {
    throw new TableMetadataError(`branch main is at table snapshot ${main}, the current one is ${id ?? 'none'}`)
  }
  if (id === undefined) return undefined
  const snapshot = snapshotOf(metadata, id)
  if (snapshot === undefined) throw new TableMetadataError(`the current table snapshot ${id} is not in the metadata`)
  return snapshot
}

/** The table snapshot with this id; undefined if it never existed or has expired. */
export function snapshotOf(metadata: TableMetadata, id: bigint): TableSnapshot | undefined {
  return metadata.snapshots.find((snapshot) => snapshot['snapshot-id'] === id)
}

/** The schema for new data. Throws a TableMetadataError if it is missing. */
export function currentSchema(metadata: TableMetadata): TableSchema {
  const id = metadata['current-schema-id']
  const schema = metadata.schemas.find((each) => each['schema-id'] === id)
  if (schema === undefined) throw new TableMetadataError(`the current schema ${id} is not in the metadata`)
  return schema
}

/** A partition spec, by default the default one. Throws a TableMetadataError if it is missing. */
export function partitionSpecOf(metadata: TableMetadata, id = metadata['default-spec-id']): PartitionSpec {
  const spec = metadata['partition-specs'].find((each) => each['spec-id'] === id)
  if (spec === undefined) throw new TableMetadataError(`partition spec ${id} is not in the metadata`)
  return spec
}
