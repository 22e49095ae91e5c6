import { zstdCompressSync } from 'node:zlib'
import { type FileMetaData, parquetMetadata, type SchemaElement } from 'hyparquet'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { type ArchiveRow, compareArchiveRows } from '#core/archive-row.ts'
import { type ArchiveColumn, type ArchiveValue, archiveColumns, type ColumnType } from './archive-table.ts'
import { type DataFileMetrics, joinMetrics, measureColumns } from './data-file-metrics.ts'

/** A Parquet file of archive rows, and the facts about it that a manifest needs. */
export type ParquetDataFile = {
  readonly bytes: Uint8Array
  readonly records: number
  readonly metrics: DataFileMetrics
}

/** Level 1 is twice as fast as level 3, and its result is 5 % larger. */
const compressors = { ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes, ZSTD_OPTIONS) }
const ZSTD_OPTIONS = { params: { 100: 1 } }

/**
 * The text has the form from which parquet-java reads a version. For files with another text, it does not use the
 * bounds of texts.
 */
const CREATED_BY = 'tidemark version 1'

const MAGIC_BYTES = 4
const FOOTER_LENGTH_BYTES = 4

const elements: Readonly<Record<ColumnType, Partial<SchemaElement>>> = {
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  long: { type: 'INT64' },
  int: { type: 'INT32' },
  timestamptz: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  },
}

/** Columns have field ids, by which readers of Iceberg find them. By name, they would lose a column that is renamed. */
const schema: SchemaElement[] = [
  { name: 'table', num_children: archiveColumns.length },
  ...archiveColumns.map(
    ({ id, name, type, required }): SchemaElement => ({
      ...elements[type],
      name,
      repetition_type: required ? 'REQUIRED' : 'OPTIONAL',
      field_id: id,
    }),
  ),
]

/** Writes rows of one table partition as one row group in the archive's sort order. */
export function writeDataFile(rows: readonly ArchiveRow[]): ParquetDataFile {
  const sorted = rows.toSorted(compareArchiveRows)
  const columns = archiveColumns.map(({ read }) => sorted.map(read))
  const writer = new ByteWriter(1 << 20)
  const file = new ParquetWriter({ writer, schema, codec: 'ZSTD', compressors, createdBy: CREATED_BY })
  file.write({ columnData: columnDataOf(columns), rowGroupSize: Math.max(sorted.length, 1) })
  file.finish()
  const [group] = file.row_groups
  const sizes = group?.columns.map(({ meta_data }) => Number(meta_data!.total_compressed_size)) ?? []
  return { bytes: writer.getBytes(), records: sorted.length, metrics: measureColumns(columns, sizes) }
}

/**
 * Joins files into one by copying their row groups, without decoding them. Throws a RangeError if a file was not
 * written by `writeDataFile` or `joinDataFiles`.
 */
export function joinDataFiles(parts: readonly ParquetDataFile[]): ParquetDataFile {
  const length = parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const writer = new ByteWriter(length + MAGIC_BYTES)
  const file = new ParquetWriter({ writer, schema, codec: 'ZSTD', compressors, createdBy: CREATED_BY })
  for (const { bytes } of parts) {
    const metadata = readFooter(bytes)
    const by = BigInt(writer.offset - MAGIC_BYTES)
    writer.appendBytes(bytes.subarray(MAGIC_BYTES, endOfRowGroups(bytes, metadata)))
    for (const group of metadata.row_groups) {
      file.row_groups.push(moved(group, by))
      file.num_rows += group.num_rows
    }
  }
  file.finish()
  return {
    bytes: writer.getBytes(),
    records: Number(file.num_rows),
    metrics: joinMetrics(parts.map(({ metrics }) => metrics)),
  }
}

/**
 * Columns whose values rarely repeat. They are written without a dictionary, because building one would cost more time
 * than it saves.
 */
const distinct = new Set(['before', 'after', 'source', 'lsn', 'kafka_offset', 'envelope_tail', 'value'])

function columnDataOf(columns: readonly ArchiveValue[][]) {
  return archiveColumns.map((column, index) => ({
    name: column.name,
    data: writable(column, columns[index]!),
    statistics: column.bounded,
    // There is no offset index, because joining copies only the bytes of the row groups, and an index would have
    // offsets of its own.
    offsetIndex: false,
    ...(distinct.has(column.name) && { encoding: 'PLAIN' as const }),
  }))
}

/**
 * The values in the form that the writer takes. It could encode the texts of the plain columns as well, but allocates
 * memory for each, which is slower.
 */
function writable({ name, type }: ArchiveColumn, values: ArchiveValue[]) {
  switch (type) {
    case 'int':
      return values
    case 'string':
      return distinct.has(name) ? values.map((text) => (text === null ? null : Buffer.from(text as string))) : values
    default:
      return values.map((value) => (value === null ? null : long(BigInt(value))))
  }
}

const LONGEST = 2n ** 63n - 1n

/** The greatest long has no exact number; the nearest number is one more than it, and is reduced here. */
const long = (value: bigint): bigint => (value > LONGEST ? LONGEST : value)

/** Bounds stay as they are. As dates they would lose their microseconds, and readers would skip rows that match. */
const parsers = {
  timestampFromMilliseconds: (value: bigint) => value,
  timestampFromMicroseconds: (value: bigint) => value,
  timestampFromNanoseconds: (value: bigint) => value,
  stringFromBytes: (value: Uint8Array) => value,
}

function readFooter(bytes: Uint8Array): FileMetaData {
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
  const metadata = parquetMetadata(buffer, { parsers: parsers as never })
  if (!metadata.created_by?.startsWith('tidemark'))
    throw new RangeError(`not a file of the archive: ${metadata.created_by}`)
  return metadata
}

/** The archive's own files have nothing between the last row group and the footer. */
const endOfRowGroups = (bytes: Uint8Array, { metadata_length }: FileMetaData): number =>
  bytes.length - MAGIC_BYTES - FOOTER_LENGTH_BYTES - metadata_length

type RowGroup = FileMetaData['row_groups'][number]

function moved(group: RowGroup, by: bigint): RowGroup {
  return {
    ...group,
    columns: group.columns.map(({ meta_data, ...chunk }) => ({
      ...chunk,
      file_offset: chunk.file_offset === 0n ? 0n : chunk.file_offset + by,
      meta_data: {
        ...meta_data!,
        data_page_offset: meta_data!.data_page_offset + by,
        ...(meta_data!.dictionary_page_offset !== undefined && {
          dictionary_page_offset: meta_data!.dictionary_page_offset + by,
        }),
      },
    })),
  }
}
