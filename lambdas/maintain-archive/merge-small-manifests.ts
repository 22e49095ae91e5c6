import { randomUUID } from 'node:crypto'
import { archiveMarks } from '#adapters/iceberg/archive/archive-table.ts'
import { metadataUrl } from '#adapters/iceberg/archive/file-locations.ts'
import { type CommitTools, commitOnce, readManifests } from '#adapters/iceberg/catalog/commit-once.ts'
import type { LoadedTable } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { newSnapshotId } from '#adapters/iceberg/commit/commit.ts'
import { prepareRewriteManifests } from '#adapters/iceberg/commit/rewrite-manifests.ts'
import { describeManifest, mergeManifests } from '#adapters/iceberg/commit/staged-manifest.ts'
import type { ManifestFile } from '#adapters/iceberg/table/manifest-list.ts'
import { currentSnapshot, snapshotOf, type TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'

/** The size of a manifest that Iceberg itself aims at. */
const TARGET_BYTES = 8 << 20
/** Fewer small manifests cost readers less than the commit of a merge would. */
const FEWEST = 20

/**
 * Merges small manifests into one, so that manifest lists stay short, and each commit stays as fast as the first.
 * Returns how many were merged, and the metadata of the table after that.
 */
export async function mergeSmallManifests(
  tools: CommitTools,
  loaded: LoadedTable,
): Promise<{ manifests: number; metadata: TableMetadata }> {
  const { metadata } = loaded
  const small = smallOf(await readManifests(tools.store, metadata), metadata)
  if (small.length < FEWEST) return { manifests: 0, metadata }
  const stored = await Promise.all(small.map(async (file) => ({ file, bytes: await read(tools, file.manifest_path) })))
  const bytes = mergeManifests(metadata, stored)
  const url = metadataUrl(metadata.location, `merged-${randomUUID()}`)
  await tools.store.put(url, bytes)
  const merged = describeManifest(url, bytes)
  const snapshotId = newSnapshotId()
  const committed = await commitOnce(tools, loaded, {
    isMade: (present) => snapshotOf(present, snapshotId) !== undefined,
    prepare: async (present) =>
      prepareRewriteManifests({
        metadata: present,
        snapshotId,
        merged,
        replaced: new Set(small.map(({ manifest_path }) => manifest_path)),
        existingManifests: await readManifests(tools.store, present),
        manifestListPath: metadataUrl(present.location, `snap-${snapshotId}-${randomUUID()}`),
        summary: marksOf(present),
        timestampMs: tools.now(),
      }),
  })
  return { manifests: small.length, metadata: committed.metadata }
}

/** As many small manifests as fit a manifest of the target size. */
function smallOf(manifests: readonly ManifestFile[], metadata: TableMetadata): ManifestFile[] {
  let bytes = 0
  return manifests.filter(({ content, partition_spec_id, manifest_length }) => {
    if (content !== 0 || partition_spec_id !== metadata['default-spec-id'] || manifest_length >= TARGET_BYTES / 2) {
      return false
    }
    bytes += manifest_length
    return bytes <= TARGET_BYTES
  })
}

/** The newest table snapshot always has to say how far the archive is, so the merge repeats these marks. */
function marksOf(metadata: TableMetadata): Record<string, string> {
  const summary = currentSnapshot(metadata)?.summary ?? {}
  return Object.fromEntries(
    [archiveMarks.number, archiveMarks.offsets].flatMap((name) =>
      summary[name] === undefined ? [] : [[name, summary[name]]],
    ),
  )
}

async function read({ store }: CommitTools, url: string): Promise<Uint8Array> {
  const bytes = await store.get(url)
  if (bytes === undefined) throw new Error(`the manifest ${url} of the table is gone`)
  return bytes
}
