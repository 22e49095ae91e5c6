import {
  ADDED,
  DELETED,
  EXISTING,
  inherit,
  type ManifestEntry,
  readManifest,
  writeManifest,
} from '../table/manifest.ts'
import type { FieldSummary, ManifestFile } from '../table/manifest-list.ts'
import { partitionType } from '../table/manifest-schema.ts'
import {
  compareSingleValues,
  encodeSingleValue,
  type SingleValue,
  type SingleValueType,
} from '../table/single-value.ts'
import {
  currentSchema,
  type PartitionSpec,
  partitionSpecOf,
  type TableMetadata,
  type TableSchema,
} from '../table/table-metadata.ts'

/**
 * A manifest that is written but not committed yet: its line in the manifest list, except for the fields that the
 * commit adds.
 */
export type StagedManifest = {
  readonly file: Omit<ManifestFile, 'sequence_number' | 'min_sequence_number' | 'added_snapshot_id'>
  /** The least data sequence number of the entries that have their own; undefined if none has. */
  readonly minSequenceNumber: number | undefined
  /** The size of the added data files. */
  readonly addedBytes: number
  /** One text for each table partition in which files are added or deleted. */
  readonly changedTablePartitions: ReadonlySet<string>
}

/** Describes a manifest of `writeManifest` from its bytes alone, so that a commit can be continued after a crash. */
export function describeManifest(path: string, bytes: Uint8Array): StagedManifest {
  const { entries, schema, spec } = readManifest(bytes)
  const files = (status: number) => entries.filter((entry) => entry.status === status)
  const own = files(EXISTING).map(({ sequence_number }) => sequence_number ?? 0)
  return {
    file: {
      manifest_path: path,
      manifest_length: bytes.length,
      partition_spec_id: spec['spec-id'],
      content: 0,
      added_files_count: files(ADDED).length,
      existing_files_count: files(EXISTING).length,
      deleted_files_count: files(DELETED).length,
      added_rows_count: rowsOf(files(ADDED)),
      existing_rows_count: rowsOf(files(EXISTING)),
      deleted_rows_count: rowsOf(files(DELETED)),
      partitions: summarize(entries, schema, spec),
    },
    minSequenceNumber: own.length === 0 ? undefined : own.reduce((least, each) => Math.min(least, each)),
    addedBytes: files(ADDED).reduce((sum, { data_file }) => sum + data_file.file_size_in_bytes, 0),
    changedTablePartitions: new Set(
      entries.filter(({ status }) => status !== EXISTING).map((entry) => partitionText(entry, spec)),
    ),
  }
}

/** A manifest of the table and its bytes. */
export type StoredManifest = { readonly file: ManifestFile; readonly bytes: Uint8Array }

/**
 * Merges manifests of data files of one partition spec into one. Live files keep their ids and sequence numbers,
 * deleted ones are left out. Throws a RangeError if a manifest has other numbers of files and rows than its line says.
 */
export function mergeManifests(metadata: TableMetadata, manifests: readonly StoredManifest[]): Uint8Array {
  const specId = manifests[0]?.file.partition_spec_id
  return writeManifest({
    schema: currentSchema(metadata),
    spec: partitionSpecOf(metadata, specId),
    entries: manifests.flatMap((manifest) => liveEntries(manifest, specId)),
  })
}

function liveEntries({ file, bytes }: StoredManifest, specId: number | undefined): ManifestEntry[] {
  const manifest = readManifest(bytes)
  if (manifest.content !== 'data' || file.content !== 0 || file.partition_spec_id !== specId) {
    throw new RangeError(`${file.manifest_path} is not a manifest of data files of partition spec ${specId}`)
  }
  const entries = inherit(manifest.entries, file).filter(({ status }) => status !== DELETED)
  const files = file.added_files_count + file.existing_files_count
  const rows = file.added_rows_count + file.existing_rows_count
  if (entries.length !== files || rowsOf(entries) !== rows) {
    throw new RangeError(
      `${file.manifest_path} holds ${entries.length} files and ${rowsOf(entries)} rows, its line says ${files} and ${rows}`,
    )
  }
  return entries.map((entry) => ({ ...entry, status: EXISTING }))
}

const rowsOf = (entries: readonly ManifestEntry[]): number =>
  entries.reduce((sum, { data_file }) => sum + data_file.record_count, 0)

const partitionText = ({ data_file }: ManifestEntry, spec: PartitionSpec): string =>
  JSON.stringify(spec.fields.map(({ name }) => String(data_file.partition[name])))

function summarize(entries: readonly ManifestEntry[], schema: TableSchema, spec: PartitionSpec): FieldSummary[] {
  return spec.fields.map((field) =>
    summaryOf(
      entries.map(({ data_file }) => data_file.partition[field.name] ?? null),
      partitionType(field, schema),
    ),
  )
}

function summaryOf(values: readonly (SingleValue | null)[], type: SingleValueType): FieldSummary {
  const bounded = values.filter((value): value is SingleValue => value !== null && !Number.isNaN(value))
  const summary = { contains_null: values.includes(null), contains_nan: values.some((value) => Number.isNaN(value)) }
  if (bounded.length === 0) return summary
  const extreme = (sign: number) =>
    bounded.reduce((best, value) => (sign * compareSingleValues(value, best) > 0 ? value : best))
  return {
    ...summary,
    lower_bound: encodeSingleValue(type, extreme(-1)),
    upper_bound: encodeSingleValue(type, extreme(1)),
  }
}
