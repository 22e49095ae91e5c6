import { addedEntry, type DataFile, writeManifest } from '../table/manifest.ts'
import { currentSchema, partitionSpecOf, type TableMetadata } from '../table/table-metadata.ts'
import { archiveColumns, archiveSortOrder } from './archive-table.ts'
import { boundBytes, type DataFileMetrics } from './data-file-metrics.ts'

/** A data file that a commit adds. */
export type ArchivedFile = {
  readonly path: string
  /** Days since 1970. */
  readonly day: number
  readonly records: number
  readonly bytes: number
  readonly metrics: DataFileMetrics
  /** Whether the whole file is in the table's sort order. */
  readonly sorted: boolean
}

/** Writes the manifest of the files that a table snapshot adds. The same files give the same bytes in every process. */
export function writeArchiveManifest(
  metadata: TableMetadata,
  files: readonly ArchivedFile[],
  snapshotId: bigint,
): Uint8Array {
  const spec = partitionSpecOf(metadata, metadata['default-spec-id'])
  const dayField = spec.fields[0]!.name
  return writeManifest({
    schema: currentSchema(metadata),
    spec,
    entries: files.map((file) => addedEntry(dataFileOf(file, dayField), snapshotId)),
  })
}

function dataFileOf({ path, day, records, bytes, metrics, sorted }: ArchivedFile, dayField: string): DataFile {
  return {
    content: 0,
    file_path: path,
    file_format: 'PARQUET',
    partition: { [dayField]: day },
    record_count: records,
    file_size_in_bytes: bytes,
    column_sizes: byColumn(metrics.columnSizes),
    value_counts: byColumn(metrics.valueCounts),
    null_value_counts: byColumn(metrics.nullCounts),
    lower_bounds: decoded(metrics.lowerBounds),
    upper_bounds: decoded(metrics.upperBounds),
    ...(sorted && { sort_order_id: archiveSortOrder['order-id'] }),
  }
}

const byColumn = <T>(values: Readonly<Record<number, T>>): Map<number, T> =>
  new Map(archiveColumns.flatMap(({ id }) => (values[id] === undefined ? [] : [[id, values[id]] as const])))

const decoded = (bounds: Readonly<Record<number, string>>): Map<number, Uint8Array> =>
  new Map(Array.from(byColumn(bounds), ([id, bound]) => [id, boundBytes(bound)]))
