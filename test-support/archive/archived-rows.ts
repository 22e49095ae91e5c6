import { zstdDecompressSync } from 'node:zlib'
import { parquetReadObjects } from 'hyparquet'
import { DELETED, readManifest } from '#adapters/iceberg/table/manifest.ts'
import { readManifestList } from '#adapters/iceberg/table/manifest-list.ts'
import { currentSnapshot, type TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'

/** A row of the archive table by column name. A null value is absent. */
export type ReadRow = Record<string, unknown>

/**
 * Reads every row of the table, beginning with its metadata. Throws an Error when a file is missing or differs from its
 * manifest.
 */
export async function readArchivedRows(store: Pick<ObjectStore, 'get'>, metadata: TableMetadata): Promise<ReadRow[]> {
  const snapshot = currentSnapshot(metadata)
  if (snapshot === undefined) return []
  const rows: ReadRow[] = []
  for (const manifest of readManifestList(await read(store, snapshot['manifest-list']))) {
    for (const { status, data_file } of readManifest(await read(store, manifest.manifest_path)).entries) {
      if (status === DELETED) continue
      const bytes = await read(store, data_file.file_path)
      const found = await readParquet(bytes)
      if (bytes.length !== data_file.file_size_in_bytes) throw new Error(`${data_file.file_path} has another size`)
      if (found.length !== data_file.record_count) throw new Error(`${data_file.file_path} has another count`)
      rows.push(...found)
    }
  }
  const total = Number(snapshot.summary['total-records'])
  if (total !== rows.length) throw new Error(`the summary says ${total} records, there are ${rows.length}`)
  return rows
}

const compressors = { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) }

/** The rows of a Parquet file. */
export async function readParquet(bytes: Uint8Array): Promise<ReadRow[]> {
  const rows = await parquetReadObjects({ file: bytes.slice().buffer, compressors })
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value != null)))
}

async function read(store: Pick<ObjectStore, 'get'>, url: string): Promise<Uint8Array> {
  const bytes = await store.get(url)
  if (bytes === undefined) throw new Error(`${url} is missing`)
  return bytes
}
