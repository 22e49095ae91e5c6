import { gunzipSync } from 'node:zlib'
import { parseTableMetadata, type TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import { type ObjectStore, ObjectStoreError } from '#adapters/object-store/object-store.ts'

/** Metadata of a table that the catalog does not have, or has only in an earlier state, and the URL of its file. */
export type FormerMetadata = { readonly metadata: TableMetadata; readonly metadataLocation: string }

/** This is enough to find a file of the table among files of other tables at the same place. */
const MOST_FILES = 200

/**
 * Finds the newest metadata file of a table at a place. Undefined when there is none, for example because the catalog
 * removed the files with the table.
 */
export async function findFormerMetadata(
  store: Pick<ObjectStore, 'get' | 'list'>,
  location: string,
  uuid: string,
): Promise<FormerMetadata | undefined> {
  const files = await listMetadataFiles(store, `${location.replace(/\/+$/, '')}/metadata/`)
  const newest = files.sort((a, b) => b.modifiedAtMs - a.modifiedAtMs || b.url.localeCompare(a.url))
  let found: FormerMetadata | undefined
  for (const { url } of newest.slice(0, MOST_FILES)) {
    const metadata = await readMetadata(store, url)
    if (metadata === undefined || metadata['table-uuid'] !== uuid) continue
    if (found === undefined || isNewer(metadata, found.metadata)) found = { metadata, metadataLocation: url }
  }
  return found
}

const isNewer = (a: TableMetadata, b: TableMetadata): boolean =>
  (a['last-sequence-number'] - b['last-sequence-number'] || a['last-updated-ms'] - b['last-updated-ms']) > 0

async function listMetadataFiles(store: Pick<ObjectStore, 'list'>, prefix: string) {
  const files: { url: string; modifiedAtMs: number }[] = []
  try {
    for await (const page of store.list(prefix)) {
      files.push(...page.filter(({ url }) => /\.metadata\.json(\.gz)?$|\.gz\.metadata\.json$/.test(url)))
    }
  } catch (error) {
    // S3 Tables removes the bucket of a table together with the table. Any other failure does not prove that the files
    // are gone.
    if (error instanceof ObjectStoreError && /NoSuchBucket/.test(error.message)) return []
    throw error
  }
  return files
}

async function readMetadata(store: Pick<ObjectStore, 'get'>, url: string): Promise<TableMetadata | undefined> {
  const bytes = await store.get(url)
  if (bytes === undefined) return undefined
  try {
    return parseTableMetadata((/gz/.test(url) ? gunzipSync(bytes) : Buffer.from(bytes)).toString('utf8'))
  } catch {
    // The file is incomplete or has another format, and an older file may be usable.
    return undefined
  }
}
