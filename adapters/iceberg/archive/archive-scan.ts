import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { type ArchiveRow, recordValue } from '#core/archive-row.ts'
import type { ObjectStore } from '../../object-store/object-store.ts'
import { readManifests } from '../catalog/commit-once.ts'
import { type DataFile, DELETED, inherit, type ManifestEntry, readManifest } from '../table/manifest.ts'
import { decodeSingleValue } from '../table/single-value.ts'
import type { TableMetadata } from '../table/table-metadata.ts'
import { archiveColumns } from './archive-table.ts'

/** A data file of the archive table's current table snapshot. */
export type ScannedFile = {
  readonly path: string
  /** The number of rows in it, including deleted ones. */
  readonly records: number
  readonly bytes: number
  /**
   * It grows with each commit. In the files that no engine has rewritten, the offsets of a topic partition grow in this
   * order.
   */
  readonly sequenceNumber: number
  /** No row in it has an earlier Kafka timestamp; µs since 1970, or -Infinity if that is not known. */
  readonly earliestUs: number
  /** The positions of rows that another engine has deleted. */
  readonly deleted: ReadonlySet<number>
  /** The topic partitions and offsets of its records as a text, as far as the bounds in the manifest show them. */
  readonly holds: string
}

/** The files of the current table snapshot, in the order of their sequence numbers, and their sums. */
export type ArchiveScan = { readonly files: readonly ScannedFile[]; readonly records: number; readonly bytes: number }

/** A record of the archive. If it was erased, `value`, `key` and `headers` are null. */
export type ScannedRecord = Pick<
  ArchiveRow,
  'topic' | 'topicPartition' | 'offset' | 'timestampMs' | 'tableName' | 'op' | 'lsn' | 'sourceTsUs' | 'key' | 'headers'
> & { readonly value: string | null; readonly encoding: 'base64' | 'erased' | null }

/** The archive table has content that this reader cannot read; `message` says how to make it readable. */
export class UnreadableArchiveError extends Error {
  override readonly name = 'UnreadableArchiveError'
}

/**
 * Lists the data files of the current table snapshot, with the position deletes that apply to them. Throws an
 * UnreadableArchiveError if rows are deleted in another way, and an Error if a file of the metadata is gone.
 */
export async function scanArchive(store: Pick<ObjectStore, 'get'>, metadata: TableMetadata): Promise<ArchiveScan> {
  if (metadata['format-version'] !== 2) {
    throw new UnreadableArchiveError(`the archive table has format version ${metadata['format-version']}, not 2`)
  }
  const data = new Map<string, ManifestEntry & { deleted: Set<number> }>()
  const deletes: ManifestEntry[] = []
  for await (const entry of readEntries(store, metadata)) {
    if (entry.data_file.content === 0) data.set(entry.data_file.file_path, { ...entry, deleted: new Set() })
    else deletes.push(entry)
  }
  for (const entry of deletes) await applyDeletes(store, entry, data)
  const files = [...data.values()].map(scannedFile).sort((a, b) => a.sequenceNumber - b.sequenceNumber)
  return {
    files,
    records: files.reduce((sum, { records, deleted }) => sum + records - deleted.size, 0),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** The number of manifests that are fetched at the same time. Each commit has its own until maintenance merges them. */
const MANIFESTS_AT_ONCE = 16

/** The entries of all data and delete files of the current table snapshot, with inherited values filled in. */
export async function* readEntries(
  store: Pick<ObjectStore, 'get'>,
  metadata: TableMetadata,
): AsyncGenerator<ManifestEntry> {
  const manifests = await readManifests(store, metadata)
  for (let from = 0; from < manifests.length; from += MANIFESTS_AT_ONCE) {
    const some = manifests.slice(from, from + MANIFESTS_AT_ONCE)
    const contents = await Promise.all(some.map(({ manifest_path }) => read(store, manifest_path)))
    for (const [i, content] of contents.entries()) {
      for (const entry of inherit(readManifest(content).entries, some[i]!)) if (entry.status !== DELETED) yield entry
    }
  }
}

/** The rule is in "Scan Planning" of the specification: position deletes apply only to files that are not newer. */
async function applyDeletes(
  store: Pick<ObjectStore, 'get'>,
  { data_file: file, sequence_number }: ManifestEntry,
  data: ReadonlyMap<string, { deleted: Set<number>; sequence_number: number | null }>,
): Promise<void> {
  if (file.content !== 1 || file.file_format.toUpperCase() !== 'PARQUET') {
    throw new UnreadableArchiveError(
      `rows of the archive table are deleted by ${file.file_path}, which is no Parquet file of positions: have the engine that wrote it run its compaction (rewrite_data_files), then try again`,
    )
  }
  for await (const rows of readGroups(await readDataFile(store, file), ['file_path', 'pos'])) {
    for (const { file_path, pos } of rows) {
      const target = data.get(file_path as string)
      if (target !== undefined && target.sequence_number! <= sequence_number!) target.deleted.add(Number(pos))
    }
  }
}

const scannedFile = ({ data_file: file, sequence_number, deleted }: ManifestEntry & { deleted: Set<number> }) => ({
  path: file.file_path,
  records: file.record_count,
  bytes: file.file_size_in_bytes,
  sequenceNumber: sequence_number!,
  earliestUs: earliestUs(file),
  deleted,
  holds: describeHeld(file),
})

const SENT_AT = archiveColumns.find(({ name }) => name === 'kafka_ts')!.id

function earliestUs({ lower_bounds: bounds }: DataFile): number {
  const bound = bounds?.get(SENT_AT)
  return bound === undefined ? Number.NEGATIVE_INFINITY : Number(decodeSingleValue('timestamptz', bound))
}

/**
 * `offsets 3 to 9 of changes-0`. For a file with records of several topic partitions, the text names the first and the
 * last of these.
 */
function describeHeld({ lower_bounds: lower, upper_bounds: upper, record_count }: DataFile): string {
  const bound = (bounds: DataFile['lower_bounds'], name: string) => {
    const { id, type } = archiveColumns.find((column) => column.name === name)!
    const bytes = bounds?.get(id)
    return bytes === undefined ? '?' : String(decodeSingleValue(type, bytes))
  }
  const place = (bounds: DataFile['lower_bounds']) => `${bound(bounds, 'topic')}-${bound(bounds, 'kafka_partition')}`
  const [first, last] = [place(lower), place(upper)]
  const where = first === last ? first : `topic partitions between ${first} and ${last}`
  return `${record_count} records, offsets ${bound(lower, 'kafka_offset')} to ${bound(upper, 'kafka_offset')} of ${where}`
}

const COLUMNS = [
  ...['topic', 'kafka_partition', 'kafka_offset', 'kafka_ts', 'kafka_timestamp', 'table_name', 'op', 'lsn'],
  ...['source_ts', 'key', 'headers'],
  ...['before', 'after', 'source', 'envelope_tail', 'value', 'encoding'],
]

/**
 * Reads the records of a data file, one row group at a time and in no order. Memory is needed for the file and one
 * decoded row group. Throws an Error if the file is gone, or has another size than the table says.
 */
export async function* readScannedFile(
  store: Pick<ObjectStore, 'get'>,
  { path, records, bytes, deleted }: ScannedFile,
): AsyncGenerator<ScannedRecord[]> {
  const file = { file_path: path, record_count: records, file_size_in_bytes: bytes }
  let place = 0
  for await (const rows of readGroups(await readDataFile(store, file), COLUMNS)) {
    const first = place
    place += rows.length
    yield rows.filter((_, i) => !deleted.has(first + i)).map(scannedRecord)
  }
}

/**
 * Reads the topic partition, offset and timestamp of each record of a file, one row group at a time. Key and value are
 * not decoded.
 */
export async function* readPlaces(
  store: Pick<ObjectStore, 'get'>,
  { path, records, bytes, deleted }: ScannedFile,
): AsyncGenerator<Pick<ScannedRecord, 'topic' | 'topicPartition' | 'offset' | 'timestampMs'>[]> {
  const file = { file_path: path, record_count: records, file_size_in_bytes: bytes }
  let place = 0
  for await (const rows of readGroups(await readDataFile(store, file), PLACE_COLUMNS)) {
    const first = place
    place += rows.length
    yield rows.filter((_, i) => !deleted.has(first + i)).map(placeOfRow)
  }
}

const PLACE_COLUMNS = ['topic', 'kafka_partition', 'kafka_offset', 'kafka_ts', 'kafka_timestamp']

const placeOfRow = (row: ParquetRow) => ({
  topic: row['topic'] as string,
  topicPartition: Number(row['kafka_partition']),
  offset: Number(row['kafka_offset']),
  timestampMs:
    row['kafka_timestamp'] == null ? Number((row['kafka_ts'] as bigint) / 1000n) : Number(row['kafka_timestamp']),
})

type ParquetRow = Readonly<Record<string, unknown>>

function scannedRecord(row: ParquetRow): ScannedRecord {
  const text = (name: string): string | null => (row[name] as string | null | undefined) ?? null
  const encoding = text('encoding') as ScannedRecord['encoding']
  const erased = encoding === 'erased'
  const long = (name: string): number | null => (row[name] == null ? null : Number(row[name]))
  return {
    topic: text('topic')!,
    topicPartition: Number(row['kafka_partition']),
    offset: Number(row['kafka_offset']),
    timestampMs: long('kafka_timestamp') ?? Number((row['kafka_ts'] as bigint) / 1000n),
    tableName: text('table_name'),
    op: text('op'),
    lsn: long('lsn'),
    sourceTsUs: long('source_ts'),
    key: erased ? null : text('key'),
    headers: erased ? null : text('headers'),
    value: erased ? null : recordValue(valuePieces(text)),
    encoding,
  }
}

const valuePieces = (text: (name: string) => string | null) => ({
  ...{ before: text('before'), after: text('after'), source: text('source') },
  ...{ envelopeTail: text('envelope_tail'), value: text('value') },
})

/** Engines that rewrite files choose their own codec. hyparquet itself has only Snappy. */
const compressors = {
  ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes),
  GZIP: (bytes: Uint8Array) => gunzipSync(bytes),
  BROTLI: (bytes: Uint8Array) => brotliDecompressSync(bytes),
}

/**
 * Timestamps stay integers, because dates would lose their microseconds. Texts keep a byte order mark, which is part of
 * the record.
 */
const parsers = {
  timestampFromMicroseconds: (micros: bigint) => micros,
  stringFromBytes: (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'),
}

async function* readGroups(bytes: Uint8Array, columns: readonly string[]): AsyncGenerator<ParquetRow[]> {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
  const file = (whole ? bytes.buffer : bytes.slice().buffer) as ArrayBuffer
  const metadata = parquetMetadata(file, { parsers })
  let rowStart = 0
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows)
    yield await parquetReadObjects({ file, metadata, columns: [...columns], rowStart, rowEnd, compressors, parsers })
    rowStart = rowEnd
  }
}

type Expected = Pick<DataFile, 'file_path' | 'record_count' | 'file_size_in_bytes'>

async function readDataFile(store: Pick<ObjectStore, 'get'>, file: Expected): Promise<Uint8Array> {
  const bytes = await read(store, file.file_path)
  if (bytes.length === file.file_size_in_bytes) return bytes
  throw new Error(`${file.file_path} has ${bytes.length} bytes, the table says ${file.file_size_in_bytes}`)
}

async function read(store: Pick<ObjectStore, 'get'>, url: string): Promise<Uint8Array> {
  const bytes = await store.get(url)
  if (bytes === undefined) throw new Error(`${url} of the archive table is gone`)
  return bytes
}
