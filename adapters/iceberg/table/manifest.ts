import { readAvro } from '../avro/reader.ts'
import { AvroError, type AvroValue } from '../avro/schema.ts'
import { type AvroFields, fieldsOf, longOrNull, numberOf, optionalOf, recordsOf, stringOf } from '../avro/values.ts'
import { writeAvro } from '../avro/writer.ts'
import type { ManifestFile } from './manifest-list.ts'
import { avroName, manifestEntrySchema, manifestFieldNames } from './manifest-schema.ts'
import type { SingleValue } from './single-value.ts'
import type { PartitionField, PartitionSpec, TableSchema } from './table-metadata.ts'

/** A file of a table and its metrics by column id. It has the names of the struct `data_file` in the specification. */
export type DataFile = {
  /** 0 for data, 1 for position deletes, 2 for equality deletes. */
  readonly content: number
  /** The full URI. */
  readonly file_path: string
  readonly file_format: string
  /** The value for each partition field by name, null if the column is null. Every field of the spec must have one. */
  readonly partition: Readonly<Record<string, SingleValue | null>>
  readonly record_count: number
  readonly file_size_in_bytes: number
  readonly column_sizes?: ReadonlyMap<number, number>
  /** The number of values, including nulls. */
  readonly value_counts?: ReadonlyMap<number, number>
  readonly null_value_counts?: ReadonlyMap<number, number>
  readonly nan_value_counts?: ReadonlyMap<number, number>
  /** Single values (`encodeSingleValue`) that are not greater than any value of the column. */
  readonly lower_bounds?: ReadonlyMap<number, Uint8Array>
  readonly upper_bounds?: ReadonlyMap<number, Uint8Array>
  readonly key_metadata?: Uint8Array
  /** The offsets of the row groups, ascending. */
  readonly split_offsets?: readonly number[]
  readonly sort_order_id?: number
}

export const EXISTING = 0
export const ADDED = 1
export const DELETED = 2

/**
 * An entry of a manifest. A null is inherited from the manifest list ("Manifest Entry Fields" in the specification).
 */
export type ManifestEntry = {
  readonly status: typeof EXISTING | typeof ADDED | typeof DELETED
  readonly snapshot_id: bigint | null
  readonly sequence_number: number | null
  readonly file_sequence_number: number | null
  readonly data_file: DataFile
}

/** A manifest that was read. */
export type Manifest = {
  readonly content: 'data' | 'deletes'
  readonly formatVersion: number
  readonly schema: TableSchema
  readonly spec: PartitionSpec
  readonly entries: readonly ManifestEntry[]
}

/**
 * The entry of a file that a commit adds. Its sequence numbers are inherited, so that it fits every attempt to commit.
 * The id of the table snapshot may be inherited as well, but pyiceberg before 0.12 then writes it into the field of the
 * status, and fails.
 */
export function addedEntry(dataFile: DataFile, snapshotId: bigint | null = null): ManifestEntry {
  return {
    status: ADDED,
    snapshot_id: snapshotId,
    sequence_number: null,
    file_sequence_number: null,
    data_file: dataFile,
  }
}

/**
 * Writes a manifest of data files in format version 2. Added entries must inherit their sequence numbers, and all
 * others must have their own. Throws a RangeError for an entry that readers would assign wrongly, and an AvroError for
 * a value that does not fit its field.
 */
export function writeManifest({
  schema,
  spec,
  entries,
}: {
  readonly schema: TableSchema
  readonly spec: PartitionSpec
  readonly entries: readonly ManifestEntry[]
}): Uint8Array {
  return writeAvro(
    manifestEntrySchema(schema, spec),
    entries.map((entry) => entryRecord(entry, spec)),
    {
      schema: JSON.stringify(schema),
      'schema-id': String(schema['schema-id'] ?? 0),
      // Only the fields are written, because readers fail on the whole spec.
      'partition-spec': JSON.stringify(spec.fields),
      'partition-spec-id': String(spec['spec-id']),
      'format-version': '2',
      content: 'data',
    },
  )
}

function entryRecord(entry: ManifestEntry, spec: PartitionSpec): { [field: string]: AvroValue } {
  const { status, snapshot_id, sequence_number, file_sequence_number, data_file } = entry
  const inherits = [sequence_number, file_sequence_number].every((value) => value === null)
  const isWhole = [snapshot_id, sequence_number, file_sequence_number].every((value) => value !== null)
  if (status === ADDED ? !inherits : !isWhole) {
    throw new RangeError(
      `${data_file.file_path}: added entries inherit sequence numbers, others have their own (status ${status})`,
    )
  }
  if (data_file.content !== 0) throw new RangeError(`${data_file.file_path} is not a data file`)
  return { status, snapshot_id, sequence_number, file_sequence_number, data_file: dataFileRecord(data_file, spec) }
}

function dataFileRecord(file: DataFile, spec: PartitionSpec): AvroValue {
  return {
    content: file.content,
    file_path: file.file_path,
    file_format: file.file_format,
    partition: Object.fromEntries(spec.fields.map((field) => [avroName(field.name), partitionValue(file, field)])),
    record_count: file.record_count,
    file_size_in_bytes: file.file_size_in_bytes,
    column_sizes: keyValues(file.column_sizes),
    value_counts: keyValues(file.value_counts),
    null_value_counts: keyValues(file.null_value_counts),
    nan_value_counts: keyValues(file.nan_value_counts),
    lower_bounds: keyValues(file.lower_bounds),
    upper_bounds: keyValues(file.upper_bounds),
    key_metadata: file.key_metadata ?? null,
    split_offsets: file.split_offsets ?? null,
    sort_order_id: file.sort_order_id ?? null,
  }
}

/**
 * A missing value is refused: it would be written as null, and readers that skip files by it would lose the file's
 * rows.
 */
function partitionValue(file: DataFile, { name }: PartitionField): SingleValue | null {
  const value = file.partition[name]
  if (value === undefined) throw new RangeError(`${file.file_path} has no value of partition field ${name}`)
  return value
}

function keyValues(map: ReadonlyMap<number, number | Uint8Array> | undefined): AvroValue {
  return map === undefined ? null : Array.from(map, ([key, value]) => ({ key, value }))
}

/** Reads a manifest of any writer and version. Inherited values stay null. Throws an AvroError. */
export function readManifest(bytes: Uint8Array): Manifest {
  const { metadata, records } = readAvro(bytes, manifestFieldNames)
  const formatVersion = Number(metadata['format-version'] ?? 1)
  return {
    content: metadata['content'] === 'deletes' ? 'deletes' : 'data',
    formatVersion,
    schema: parseJson(metadata, 'schema') as TableSchema,
    spec: {
      'spec-id': Number(metadata['partition-spec-id'] ?? 0),
      fields: parseJson(metadata, 'partition-spec') as PartitionField[],
    },
    entries: records.map((record) => readEntry(fieldsOf(record, 'manifest entry'), formatVersion)),
  }
}

function parseJson(metadata: Readonly<Record<string, string>>, key: string): unknown {
  try {
    return JSON.parse(metadata[key] ?? '')
  } catch (cause) {
    throw new AvroError(`'${key}' of a manifest is not JSON`, { cause })
  }
}

function readEntry(fields: AvroFields, formatVersion: number): ManifestEntry {
  const status = numberOf(fields, 'status')
  if (status !== EXISTING && status !== ADDED && status !== DELETED) {
    throw new AvroError(`a manifest entry has status ${status}`)
  }
  return {
    status,
    snapshot_id: longOrNull(fields, 'snapshot_id'),
    sequence_number: sequenceNumber(fields, 'sequence_number', formatVersion),
    file_sequence_number: sequenceNumber(fields, 'file_sequence_number', formatVersion),
    data_file: readDataFile(fieldsOf(fields['data_file'], 'data_file')),
  }
}

/** Files of format version 1 have no sequence numbers, and count as 0. */
function sequenceNumber(fields: AvroFields, name: string, formatVersion: number): number | null {
  if (fields[name] === undefined && formatVersion < 2) return 0
  return fields[name] === null || fields[name] === undefined ? null : numberOf(fields, name)
}

function readDataFile(fields: AvroFields): DataFile {
  return {
    content: numberOf(fields, 'content', 0),
    file_path: stringOf(fields, 'file_path'),
    file_format: stringOf(fields, 'file_format'),
    partition: { ...fieldsOf(fields['partition'], 'partition') } as DataFile['partition'],
    record_count: numberOf(fields, 'record_count'),
    file_size_in_bytes: numberOf(fields, 'file_size_in_bytes'),
    ...optionalOf(fields, 'column_sizes', counts),
    ...optionalOf(fields, 'value_counts', counts),
    ...optionalOf(fields, 'null_value_counts', counts),
    ...optionalOf(fields, 'nan_value_counts', counts),
    ...optionalOf(fields, 'lower_bounds', bounds),
    ...optionalOf(fields, 'upper_bounds', bounds),
    ...optionalOf(fields, 'key_metadata', (value) => value as Uint8Array),
    ...optionalOf(fields, 'split_offsets', (value) => value as readonly number[]),
    ...optionalOf(fields, 'sort_order_id', (value) => value as number),
  }
}

const counts = (value: AvroValue): ReadonlyMap<number, number> =>
  new Map(recordsOf(value, 'counts').map((item) => [numberOf(item, 'key'), numberOf(item, 'value')]))

const bounds = (value: AvroValue): ReadonlyMap<number, Uint8Array> =>
  new Map(recordsOf(value, 'bounds').map((item) => [numberOf(item, 'key'), item['value'] as Uint8Array]))

/**
 * The entries with the values that they inherit from their line of the manifest list ("Sequence Number Inheritance" in
 * the specification). Throws an AvroError if an entry that is not added lacks its own.
 */
export function inherit(entries: readonly ManifestEntry[], manifest: ManifestFile): ManifestEntry[] {
  return entries.map((entry) => {
    const inherited = entry.status === ADDED || manifest.sequence_number === 0 ? manifest.sequence_number : null
    const sequence = entry.sequence_number ?? inherited
    const fileSequence = entry.file_sequence_number ?? inherited
    if (sequence === null || fileSequence === null) {
      throw new AvroError(`${entry.data_file.file_path} in ${manifest.manifest_path} has no sequence number`)
    }
    return {
      ...entry,
      snapshot_id: entry.snapshot_id ?? manifest.added_snapshot_id,
      sequence_number: sequence,
      file_sequence_number: fileSequence,
    }
  })
}
