import { readAvro } from '../avro/reader.ts'
import { AvroError, type AvroValue } from '../avro/schema.ts'
import { type AvroFields, fieldsOf, longOrNull, numberOf, optionalOf, recordsOf, stringOf } from '../avro/values.ts'
import { writeAvro } from '../avro/writer.ts'
import { manifestFieldNames, manifestFileSchema } from './manifest-schema.ts'

/**
 * A summary of the values of one partition field in a manifest's files. The bounds are single values
 * (`encodeSingleValue`).
 */
export type FieldSummary = {
  readonly contains_null: boolean
  readonly contains_nan?: boolean
  readonly lower_bound?: Uint8Array
  readonly upper_bound?: Uint8Array
}

/** A line of a manifest list. It has the names of the struct `manifest_file` in the specification. */
export type ManifestFile = {
  readonly manifest_path: string
  readonly manifest_length: number
  readonly partition_spec_id: number
  /** 0 for data, 1 for deletes. */
  readonly content: number
  /** The sequence number of the commit that added the manifest. */
  readonly sequence_number: number
  /** The least data sequence number of its files. */
  readonly min_sequence_number: number
  readonly added_snapshot_id: bigint
  readonly added_files_count: number
  readonly existing_files_count: number
  readonly deleted_files_count: number
  readonly added_rows_count: number
  readonly existing_rows_count: number
  readonly deleted_rows_count: number
  /** One summary for each field of the spec, in order. */
  readonly partitions?: readonly FieldSummary[]
  readonly key_metadata?: Uint8Array
}

/** Writes the manifest list of a table snapshot in format version 2. Throws an AvroError for a value that does not fit. */
export function writeManifestList({
  snapshotId,
  parentSnapshotId,
  sequenceNumber,
  manifests,
}: {
  readonly snapshotId: bigint
  readonly parentSnapshotId: bigint | undefined
  readonly sequenceNumber: number
  readonly manifests: readonly ManifestFile[]
}): Uint8Array {
  return writeAvro(manifestFileSchema, manifests as readonly AvroValue[], {
    'snapshot-id': String(snapshotId),
    'parent-snapshot-id': String(parentSnapshotId ?? null),
    'sequence-number': String(sequenceNumber),
    'format-version': '2',
  })
}

/**
 * Reads a manifest list of any writer and version. Throws an AvroError, also if the counts are missing, as in some old
 * files.
 */
export function readManifestList(bytes: Uint8Array): ManifestFile[] {
  return readAvro(bytes, manifestFieldNames).records.map((record) => readLine(fieldsOf(record, 'manifest file')))
}

function readLine(fields: AvroFields): ManifestFile {
  const snapshotId = longOrNull(fields, 'added_snapshot_id')
  if (snapshotId === null) throw new AvroError('added_snapshot_id is missing')
  return {
    manifest_path: stringOf(fields, 'manifest_path'),
    manifest_length: numberOf(fields, 'manifest_length'),
    partition_spec_id: numberOf(fields, 'partition_spec_id'),
    content: numberOf(fields, 'content', 0),
    sequence_number: numberOf(fields, 'sequence_number', 0),
    min_sequence_number: numberOf(fields, 'min_sequence_number', 0),
    added_snapshot_id: snapshotId,
    added_files_count: numberOf(fields, 'added_files_count'),
    existing_files_count: numberOf(fields, 'existing_files_count'),
    deleted_files_count: numberOf(fields, 'deleted_files_count'),
    added_rows_count: numberOf(fields, 'added_rows_count'),
    existing_rows_count: numberOf(fields, 'existing_rows_count'),
    deleted_rows_count: numberOf(fields, 'deleted_rows_count'),
    ...optionalOf(fields, 'partitions', (value) => recordsOf(value, 'partitions').map(readSummary)),
    ...optionalOf(fields, 'key_metadata', (value) => value as Uint8Array),
  }
}

const readSummary = (fields: AvroFields): FieldSummary => ({
  contains_null: fields['contains_null'] === true,
  ...optionalOf(fields, 'contains_nan', (value) => value === true),
  ...optionalOf(fields, 'lower_bound', (value) => value as Uint8Array),
  ...optionalOf(fields, 'upper_bound', (value) => value as Uint8Array),
})
