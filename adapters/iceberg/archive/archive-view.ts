import type { ArchiveView } from '#core/console/archive.ts'
import type { ObjectStore } from '../../object-store/object-store.ts'
import type { RestCatalog, TableName } from '../catalog/rest-catalog.ts'
import type { DataFile } from '../table/manifest.ts'
import type { TableMetadata } from '../table/table-metadata.ts'
import { readEntries } from './archive-scan.ts'

/** The archive table, and the store of its files. */
export type ViewedArchive = {
  readonly catalog: Pick<RestCatalog, 'loadTable'>
  readonly table: TableName
  readonly store: Pick<ObjectStore, 'get'>
}

/** What the catalog and the manifests say of the archive. */
export type ArchiveContents = Omit<ArchiveView, 'now'>

const MOST_SNAPSHOTS = 200
const MOST_FILES = 200

/**
 * Makes a reader of the table's snapshots and files. The manifests are read again only when there is another table
 * snapshot, because a table may have many. Without a table all lists are empty. Throws an Error if a file of the metadata
 * is gone.
 */
export function makeArchiveReader({ catalog, table, store }: ViewedArchive): () => Promise<ArchiveContents> {
  let last: { readonly of: string; readonly files: Promise<ArchiveContents['files']> } | undefined
  const filesOf = (metadata: TableMetadata): Promise<ArchiveContents['files']> => {
    const of = `${metadata['table-uuid']} ${metadata['current-snapshot-id']}`
    if (last?.of === of) return last.files
    const files = readFiles(store, metadata)
    last = { of, files }
    // A failure is not kept.
    files.catch(() => {
      if (last?.files === files) last = undefined
    })
    return files
  }
  return async () => {
    const name = `${table.namespace}.${table.name}`
    const metadata = (await catalog.loadTable(table))?.metadata
    if (metadata === undefined) return { table: name, location: '', snapshots: [], files: [] }
    const { location } = metadata
    return { table: name, location, snapshots: snapshotsOf(metadata), files: await filesOf(metadata) }
  }
}

/** The order of the metadata is that of the commits. */
const snapshotsOf = ({ snapshots }: TableMetadata): ArchiveContents['snapshots'] =>
  snapshots
    .slice(-MOST_SNAPSHOTS)
    .reverse()
    .map(({ 'snapshot-id': id, 'timestamp-ms': ms, summary }) => ({
      id: String(id),
      at: new Date(ms).toISOString(),
      operation: summary['operation'] ?? '',
      addedRecords: summary['added-records'] ?? '0',
      totalRecords: summary['total-records'] ?? '0',
      totalFiles: summary['total-data-files'] ?? '0',
    }))

async function readFiles(store: ViewedArchive['store'], metadata: TableMetadata): Promise<ArchiveContents['files']> {
  const files: { path: string; bytes: number; records: number; partition: string }[] = []
  for await (const { data_file: file } of readEntries(store, metadata)) {
    // Files of deletes have no records of the archive.
    if (file.content !== 0) continue
    const { file_path: path, file_size_in_bytes: bytes, record_count: records } = file
    files.push({ path, bytes, records, partition: partitionOf(file) })
  }
  return files.sort((a, b) => b.bytes - a.bytes).slice(0, MOST_FILES)
}

const DAY_MS = 86_400_000

/** Such as `kafka_ts_day=2026-11-30`. A day is stored as the number of days since 1970. */
const partitionOf = ({ partition }: DataFile): string =>
  Object.entries(partition)
    .map(([name, value]) => {
      const isDay = name.endsWith('_day') && typeof value === 'number'
      return `${name}=${isDay ? new Date(value * DAY_MS).toISOString().slice(0, 10) : value}`
    })
    .join(', ')
