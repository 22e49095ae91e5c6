import type { ArchiveView } from '#core/console/archive.ts'
import type { ObjectStore } from '../../object-store/object-store.ts'
import { loadRarely } from '../../observation/archive-observation.ts'
import { readManifests } from '../catalog/commit-once.ts'
import type { RestCatalog, TableName } from '../catalog/rest-catalog.ts'
import { type DataFile, DELETED, readManifest } from '../table/manifest.ts'
import type { ManifestFile } from '../table/manifest-list.ts'
import type { TableMetadata } from '../table/table-metadata.ts'

/** The archive table, and the store of its files. */
export type ViewedArchive = {
  readonly catalog: Pick<RestCatalog, 'loadTable'>
  readonly table: TableName
  readonly store: Pick<ObjectStore, 'get'>
  /** ms of a clock. */
  readonly now: () => number
}

/** What the catalog and the manifests say of the archive. */
export type ArchiveContents = Omit<ArchiveView, 'now'>

const MOST_SNAPSHOTS = 200
const MOST_FILES = 200

/**
 * Makes a reader of the table's snapshots and files, which asks the catalog as rarely as `loadRarely` does for a
 * `version`, because the metadata is long. A manifest never changes, so each is read once. Without a table all lists are
 * empty. Rejects if a file of the metadata is gone.
 */
export function makeArchiveReader({
  catalog,
  table,
  store,
  now,
}: ViewedArchive): (version: unknown) => Promise<ArchiveContents> {
  const name = `${table.namespace}.${table.name}`
  const listFiles = makeFileList(store)
  return loadRarely(async () => {
    const metadata = (await catalog.loadTable(table))?.metadata
    if (metadata === undefined) return { table: name, location: '', snapshots: [], files: [] }
    const { location } = metadata
    return { table: name, location, snapshots: snapshotsOf(metadata), files: await listFiles(metadata) }
  }, now)
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

type ListedFile = ArchiveContents['files'][number]

/** A table that is never compacted has a manifest for each commit. Those with the most rows have the largest files. */
const MOST_MANIFESTS = 200
const AT_ONCE = 16

/** Makes a list of the largest files of a table snapshot, which keeps what the manifests of the last one hold. */
function makeFileList(store: ViewedArchive['store']): (metadata: TableMetadata) => Promise<ListedFile[]> {
  let known = new Map<string, readonly ListedFile[]>()
  let last: { readonly of: string; readonly files: ListedFile[] } | undefined
  return async (metadata) => {
    const of = `${metadata['table-uuid']} ${metadata['current-snapshot-id']}`
    if (last?.of === of) return last.files
    const manifests = (await readManifests(store, metadata))
      .filter(({ content }) => content === DATA)
      .sort((a, b) => rowsOf(b) - rowsOf(a))
      .slice(0, MOST_MANIFESTS)
    const held = new Map<string, readonly ListedFile[]>()
    for (let from = 0; from < manifests.length; from += AT_ONCE) {
      const some = manifests.slice(from, from + AT_ONCE)
      const contents = await Promise.all(some.map(({ manifest_path: path }) => known.get(path) ?? filesOf(store, path)))
      for (const [i, { manifest_path }] of some.entries()) held.set(manifest_path, contents[i]!)
    }
    known = held
    last = { of, files: largest([...held.values()].flat()) }
    return last.files
  }
}

/** Files of deletes have no records of the archive. */
const DATA = 0

const rowsOf = (manifest: ManifestFile): number => manifest.added_rows_count + manifest.existing_rows_count

async function filesOf(store: ViewedArchive['store'], path: string): Promise<ListedFile[]> {
  const bytes = await store.get(path)
  if (bytes === undefined) throw new Error(`${path} of the archive table is gone`)
  const { entries } = readManifest(bytes)
  return largest(entries.filter(({ status }) => status !== DELETED).map(({ data_file: file }) => listedFile(file)))
}

const listedFile = (file: DataFile): ListedFile => ({
  path: file.file_path,
  bytes: file.file_size_in_bytes,
  records: file.record_count,
  partition: partitionOf(file),
})

const largest = (files: ListedFile[]): ListedFile[] => files.sort((a, b) => b.bytes - a.bytes).slice(0, MOST_FILES)

const DAY_MS = 86_400_000

/** Such as `kafka_ts_day=2026-11-30`. A day is stored as the number of days since 1970. */
const partitionOf = ({ partition }: DataFile): string =>
  Object.entries(partition)
    .map(([name, value]) => {
      const isDay = name.endsWith('_day') && typeof value === 'number'
      return `${name}=${isDay ? new Date(value * DAY_MS).toISOString().slice(0, 10) : value}`
    })
    .join(', ')
