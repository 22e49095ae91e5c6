import type { ArchiveRow } from '#core/archive-row.ts'
import type { PartitionSpec, SortOrder, TableSchema } from '../table/table-metadata.ts'

/** The Iceberg types that the archive uses. */
export type ColumnType = 'string' | 'long' | 'int' | 'timestamptz'

/** A column of the archive table. */
export type ArchiveColumn = {
  /** The field id. It is given once, and never to another column. */
  readonly id: number
  readonly name: string
  readonly type: ColumnType
  readonly required: boolean
  /** Whether manifests have bounds of the column, which let readers skip files. */
  readonly bounded: boolean
  readonly doc: string
  readonly read: (row: ArchiveRow) => ArchiveValue
}

/** A text or a whole number. A number that is not a safe integer is a bigint. Timestamps are in µs since 1970. */
export type ArchiveValue = string | number | bigint | null

const column = (
  id: number,
  name: string,
  type: ColumnType,
  kind: 'required' | 'optional',
  bounded: 'bounded' | 'unbounded',
  doc: string,
  read: ArchiveColumn['read'],
): ArchiveColumn => ({ id, name, type, required: kind === 'required', bounded: bounded === 'bounded', doc, read })

/**
 * The columns of the archive in the order of their field ids. A later version may add columns at the end, and never
 * changes one.
 */
export const archiveColumns: readonly ArchiveColumn[] = [
  column(1, 'table_name', 'string', 'optional', 'bounded', 'schema.table of a row', (row) => row.tableName),
  column(2, 'op', 'string', 'optional', 'bounded', 'c, u, d, r, t, m, or that of a delta', (row) => row.op),
  column(3, 'key', 'string', 'optional', 'bounded', 'key of the record, as it came', (row) => row.key),
  column(4, 'before', 'string', 'optional', 'unbounded', 'row before the change, JSON as it came', (row) => row.before),
  column(5, 'after', 'string', 'optional', 'unbounded', 'row after the change, JSON as it came', (row) => row.after),
  column(6, 'source', 'string', 'optional', 'unbounded', "envelope's source, JSON as it came", (row) => row.source),
  column(7, 'lsn', 'long', 'optional', 'bounded', "place in the source's log", (row) => row.lsn),
  column(8, 'tx_id', 'long', 'optional', 'bounded', 'low 32 bits of the transaction id', (row) => row.txId),
  column(9, 'source_ts', 'timestamptz', 'optional', 'bounded', 'commit in the source', (row) => row.sourceTsUs),
  column(10, 'kafka_ts', 'timestamptz', 'required', 'bounded', 'timestamp of the record', (row) =>
    microsOf(timestampOf(row)),
  ),
  column(11, 'topic', 'string', 'required', 'bounded', 'where the record was', (row) => row.topic),
  column(12, 'kafka_partition', 'int', 'required', 'bounded', 'where the record was', (row) => row.topicPartition),
  column(13, 'kafka_offset', 'long', 'required', 'bounded', 'where the record was', (row) => row.offset),
  column(
    14,
    'epoch',
    'long',
    'optional',
    'bounded',
    'of the source: lsns of two epochs do not compare',
    (row) => row.epoch,
  ),
  column(15, 'headers', 'string', 'optional', 'unbounded', 'JSON [[name, value], …]', (row) => row.headers),
  column(16, 'ingested_at', 'timestamptz', 'required', 'bounded', 'written', (row) => microsOf(row.ingestedAtMs)),
  column(17, 'envelope_tail', 'string', 'optional', 'unbounded', 'what follows source', (row) => row.envelopeTail),
  column(18, 'value', 'string', 'optional', 'unbounded', 'value of a record without images', (row) => row.value),
  column(
    19,
    'encoding',
    'string',
    'optional',
    'unbounded',
    'base64 where key and value are no text',
    (row) => row.encoding,
  ),
  column(
    20,
    'kafka_timestamp',
    'long',
    'optional',
    'unbounded',
    'timestamp of the record in ms since 1970, where it is no time of the years 1 to 9999',
    (row) => (timestampOf(row) === row.timestampMs ? null : row.timestampMs),
  ),
]

/** The first and the last millisecond of the years 1 to 9999. */
const EARLIEST_MS = -62_135_596_800_000
const LATEST_MS = 253_402_300_799_999

/**
 * A record's timestamp as `kafka_ts` has it, limited to the years that every engine reads. A producer may send any 64
 * bits, for example microseconds instead of milliseconds, and such a value would make queries of the whole table fail.
 */
export const archivedTimestamp = (timestampMs: number): number =>
  Math.min(Math.max(timestampMs, EARLIEST_MS), LATEST_MS)

const timestampOf = ({ timestampMs }: ArchiveRow): number => archivedTimestamp(timestampMs)

function microsOf(ms: number): number | bigint {
  const micros = ms * 1000
  return Number.isSafeInteger(micros) ? micros : BigInt(ms) * 1000n
}

const idOf = (name: string): number => archiveColumns.find((each) => each.name === name)!.id

/** The schema in the form that the catalog takes. */
export const archiveSchema: TableSchema = {
  type: 'struct',
  'schema-id': 0,
  fields: archiveColumns.map(({ id, name, type, required, doc }) => ({ id, name, required, type, doc })),
}

/** There is one table partition for each day (UTC) of the record's timestamp. */
export const archivePartitionSpec: PartitionSpec = {
  'spec-id': 0,
  fields: [{ 'source-id': idOf('kafka_ts'), 'field-id': 1000, name: 'kafka_ts_day', transform: 'day' }],
}

/** The order of the rows in a data file. */
export const archiveSortOrder: SortOrder = {
  'order-id': 1,
  fields: ['table_name', 'key', 'lsn', 'kafka_offset'].map((name) => ({
    'source-id': idOf(name),
    transform: 'identity',
    direction: 'asc',
    'null-order': 'nulls-first',
  })),
}

/** Each commit writes a metadata file, and without these properties old metadata files would never be deleted. */
export const archiveProperties: Readonly<Record<string, string>> = {
  'format-version': '2',
  'write.format.default': 'parquet',
  'write.parquet.compression-codec': 'zstd',
  'write.metadata.delete-after-commit.enabled': 'true',
  'write.metadata.previous-versions-max': '20',
  'tidemark.archive': '1',
}

/** The names under which commits of the archive store facts beside the rows. */
export const archiveMarks = {
  /** A property of the table and an entry in the summary of a table snapshot: the number of commits. */
  number: 'tidemark.commit-number',
  /** A property of the table: the id of the table snapshot that the last commit made. */
  snapshot: 'tidemark.commit-snapshot-id',
  /** A property and a summary entry: topic → topic partition → first offset that is not in the table. */
  offsets: 'tidemark.offsets',
} as const

/** The table partition of a record: days since 1970 in UTC. */
export const dayOf = (timestampMs: number): number => Math.floor(archivedTimestamp(timestampMs) / 86_400_000)
