import { type ScannedFile, scanArchive } from '#adapters/iceberg/archive/archive-scan.ts'
import { findGone } from '#adapters/iceberg/archive/archive-survey.ts'
import { readManifests } from '#adapters/iceberg/catalog/commit-once.ts'
import type { LoadedTable } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { readManifest } from '#adapters/iceberg/table/manifest.ts'
import type { TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'

/** How many files were removed, and which data files the table names and the store does not have. */
export type Sweep = { readonly removed: number; readonly gone: readonly ScannedFile[] }

/**
 * Removes files under the table's place that are older than a time and that neither the table nor the ledger names:
 * they are left by crashes between two steps, and by commits that were refused. Also finds data files that were
 * deleted.
 */
export async function removeOrphans(
  store: ObjectStore,
  { metadata, metadataLocation }: LoadedTable,
  inLedger: ReadonlySet<string>,
  olderThanMs: number,
): Promise<Sweep> {
  const named = await namedFiles(store, metadata)
  named.add(metadataLocation)
  const present = new Set<string>()
  let removed = 0
  for await (const page of store.list(`${metadata.location.replace(/\/+$/, '')}/`)) {
    for (const { url } of page) present.add(url)
    const orphans = page
      .filter(({ url, modifiedAtMs }) => modifiedAtMs < olderThanMs && !named.has(url) && !inLedger.has(url))
      .map(({ url }) => url)
    await store.remove(orphans)
    removed += orphans.length
  }
  const { files } = await scanArchive(store, metadata)
  // Files that are not in the list are looked up one by one: they may be at another place, or newer than the list.
  const gone = await findGone(
    store,
    files.filter(({ path }) => !present.has(path)),
  )
  return { removed, gone }
}

/** All files that any table snapshot refers to. */
async function namedFiles(store: ObjectStore, metadata: TableMetadata): Promise<Set<string>> {
  const named = new Set(otherFiles(metadata))
  for (const snapshot of metadata.snapshots) {
    named.add(snapshot['manifest-list'])
    for (const { manifest_path } of await readManifests(store, metadata, snapshot)) {
      if (named.has(manifest_path)) continue
      named.add(manifest_path)
      const bytes = await store.get(manifest_path)
      if (bytes === undefined) throw new Error(`the manifest ${manifest_path} of the table is gone`)
      for (const { data_file } of readManifest(bytes).entries) named.add(data_file.file_path)
    }
  }
  return named
}

type OtherFiles = {
  'metadata-log'?: readonly { 'metadata-file': string }[]
  statistics?: readonly { 'statistics-path': string }[]
  'partition-statistics'?: readonly { 'statistics-path': string }[]
}

/** Earlier metadata files, and statistics that engines wrote. */
function otherFiles(metadata: TableMetadata): string[] {
  const { 'metadata-log': log = [], statistics = [], 'partition-statistics': more = [] } = metadata as OtherFiles
  return [
    ...log.map((entry) => entry['metadata-file']),
    ...[...statistics, ...more].map((entry) => entry['statistics-path']),
  ]
}
