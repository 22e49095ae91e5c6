import type { AvroField, AvroRecord, AvroSchema } from '../avro/schema.ts'
import type { SingleValueType } from './single-value.ts'
import type { PartitionField, PartitionSpec, TableSchema } from './table-metadata.ts'

/**
 * The type of the values of a partition field, which is the result type of its transform ("Partition Transforms" in the
 * specification).
 */
export function partitionType({ transform, ...field }: PartitionField, schema: TableSchema): SingleValueType {
  if (transform === 'day') return 'date'
  if (transform === 'year' || transform === 'month' || transform === 'hour' || transform.startsWith('bucket[')) {
    return 'int'
  }
  const source = schema.fields.find(({ id }) => id === field['source-id'])
  if (source === undefined) throw new RangeError(`partition field ${field.name}: no column ${field['source-id']}`)
  if (typeof source.type !== 'string' || !Object.hasOwn(avroTypes, source.type)) {
    throw new RangeError(
      `partition field ${field.name}: values of type ${JSON.stringify(source.type)} are not known here`,
    )
  }
  if (transform === 'identity' || transform === 'void' || transform.startsWith('truncate[')) {
    return source.type as SingleValueType
  }
  throw new RangeError(`partition field ${field.name}: transform ${transform} is not known here`)
}

/** The Avro schema of a manifest of data files in format version 2, with the fields of the partition spec. */
export function manifestEntrySchema(schema: TableSchema, spec: PartitionSpec): AvroRecord {
  return record('manifest_entry', [
    required(0, 'status', 'int'),
    optional(1, 'snapshot_id', 'long'),
    optional(3, 'sequence_number', 'long'),
    optional(4, 'file_sequence_number', 'long'),
    required(2, 'data_file', record('r2', dataFileFields(schema, spec))),
  ])
}

function dataFileFields(schema: TableSchema, spec: PartitionSpec): AvroField[] {
  return [
    required(134, 'content', 'int'),
    required(100, 'file_path', 'string'),
    required(101, 'file_format', 'string'),
    required(
      102,
      'partition',
      record(
        'r102',
        spec.fields.map((field) => partitionAvroField(field, schema)),
      ),
    ),
    required(103, 'record_count', 'long'),
    required(104, 'file_size_in_bytes', 'long'),
    optional(108, 'column_sizes', mapOf(117, 118, 'long')),
    optional(109, 'value_counts', mapOf(119, 120, 'long')),
    optional(110, 'null_value_counts', mapOf(121, 122, 'long')),
    optional(137, 'nan_value_counts', mapOf(138, 139, 'long')),
    optional(125, 'lower_bounds', mapOf(126, 127, 'bytes')),
    optional(128, 'upper_bounds', mapOf(129, 130, 'bytes')),
    optional(131, 'key_metadata', 'bytes'),
    optional(132, 'split_offsets', { type: 'array', items: 'long', 'element-id': 133 }),
    optional(140, 'sort_order_id', 'int'),
  ]
}

/** The Avro schema of a manifest list in format version 2. */
export const manifestFileSchema: AvroRecord = record('manifest_file', [
  required(500, 'manifest_path', 'string'),
  required(501, 'manifest_length', 'long'),
  required(502, 'partition_spec_id', 'int'),
  required(517, 'content', 'int'),
  required(515, 'sequence_number', 'long'),
  required(516, 'min_sequence_number', 'long'),
  required(503, 'added_snapshot_id', 'long'),
  required(504, 'added_files_count', 'int'),
  required(505, 'existing_files_count', 'int'),
  required(506, 'deleted_files_count', 'int'),
  required(512, 'added_rows_count', 'long'),
  required(513, 'existing_rows_count', 'long'),
  required(514, 'deleted_rows_count', 'long'),
  optional(507, 'partitions', {
    type: 'array',
    'element-id': 508,
    items: record('r508', [
      required(509, 'contains_null', 'boolean'),
      optional(518, 'contains_nan', 'boolean'),
      optional(510, 'lower_bound', 'bytes'),
      optional(511, 'upper_bound', 'bytes'),
    ]),
  }),
  optional(519, 'key_metadata', 'bytes'),
])

/** The name of every field above by its field id, because other and older writers use other names. */
export const manifestFieldNames: ReadonlyMap<number, string> = new Map(
  [manifestEntrySchema({ type: 'struct', fields: [] }, { 'spec-id': 0, fields: [] }), manifestFileSchema].flatMap(
    namesOf,
  ),
)

const avroTypes: Readonly<Record<SingleValueType, AvroSchema>> = {
  boolean: 'boolean',
  int: 'int',
  long: 'long',
  float: 'float',
  double: 'double',
  date: { type: 'int', logicalType: 'date' },
  time: { type: 'long', logicalType: 'time-micros' },
  timestamp: { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': false },
  timestamptz: { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true },
  string: 'string',
  binary: 'bytes',
}

function partitionAvroField(field: PartitionField, schema: TableSchema): AvroField {
  const name = avroName(field.name)
  return {
    ...optional(field['field-id'], name, avroTypes[partitionType(field, schema)]),
    ...(name === field.name ? {} : { 'iceberg-field-name': field.name }),
  }
}

/** A valid Avro name, made in the same way as by Iceberg's Java writer. */
export function avroName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]|^[0-9]/g, (sign) =>
    /[0-9]/.test(sign) ? `_${sign}` : `_x${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** A map whose keys are not strings is an array of records (Appendix A of the specification). */
function mapOf(keyId: number, valueId: number, values: AvroSchema): AvroSchema {
  const items = record(`k${keyId}_v${valueId}`, [required(keyId, 'key', 'int'), required(valueId, 'value', values)])
  return { type: 'array', logicalType: 'map', items }
}

function record(name: string, fields: readonly AvroField[]): AvroRecord {
  return { type: 'record', name, fields }
}

function required(id: number, name: string, type: AvroSchema): AvroField {
  return { name, type, 'field-id': id }
}

function optional(id: number, name: string, type: AvroSchema): AvroField {
  return { name, type: ['null', type], default: null, 'field-id': id }
}

function namesOf(schema: AvroSchema): [number, string][] {
  if (Array.isArray(schema)) return (schema as readonly AvroSchema[]).flatMap(namesOf)
  if (typeof schema === 'string') return []
  const { items, fields } = schema as { items?: AvroSchema; fields?: readonly AvroField[] }
  if (items !== undefined) return namesOf(items)
  return (fields ?? []).flatMap((field): [number, string][] => [
    [field['field-id']!, field.name],
    ...namesOf(field.type),
  ])
}
