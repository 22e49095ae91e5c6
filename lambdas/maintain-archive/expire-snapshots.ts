import { type CommitTools, commitOnce, readManifests } from '#adapters/iceberg/catalog/commit-once.ts'
import { prepareExpiry } from '#adapters/iceberg/commit/expiry.ts'
import { readManifestList } from '#adapters/iceberg/table/manifest-list.ts'
import { snapshotOf, type TableMetadata, type TableSnapshot } from '#adapters/iceberg/table/table-metadata.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'

/** Which table snapshots stay: those of the last `ms`, but at most `most` of them, and always the last `least`. */
export type Retention = { readonly ms: number; readonly least: number; readonly most: number }

/**
 * Expires table snapshots past their retention, and removes their manifest lists and the manifests that only they have.
 * Data files stay, because the archive never takes one out of the table. Returns how many table snapshots were expired.
 */
export async function expireSnapshots(
  tools: CommitTools & { readonly store: ObjectStore },
  metadata: TableMetadata,
  retention: Retention,
): Promise<number> {
  const expiry = prepareExpiry({
    metadata,
    olderThanMs: oldestKeptMs(metadata, retention, tools.now()),
    keepLast: retention.least,
  })
  if (expiry === undefined) return 0
  const { expired } = expiry
  const useless = await uselessFiles(tools.store, metadata, expired)
  const isMade = (present: TableMetadata) =>
    expired.every((each) => snapshotOf(present, each['snapshot-id']) === undefined)
  const loaded = { metadata, metadataLocation: '' }
  const committed = await commitOnce(tools, loaded, {
    isMade,
    // After another commit, the expiry is left to the next run: the manifests that can be removed may have changed.
    prepare: async (present) => (present === metadata ? expiry : undefined),
  })
  // A catalog may report success without having done anything.
  if (!isMade(committed.metadata)) return 0
  await tools.store.remove(useless)
  return expired.length
}

function oldestKeptMs({ snapshots }: TableMetadata, { ms, most }: Retention, nowMs: number): number {
  const times = snapshots.map((each) => each['timestamp-ms']).sort((a, b) => b - a)
  return Math.max(nowMs - ms, times[most - 1] ?? 0)
}

async function uselessFiles(
  store: ObjectStore,
  metadata: TableMetadata,
  expired: readonly TableSnapshot[],
): Promise<string[]> {
  const gone = new Set(expired)
  const kept = new Set<string>()
  await eachSnapshot(
    metadata.snapshots.filter((each) => !gone.has(each)),
    async (snapshot) => {
      for (const { manifest_path } of await readManifests(store, metadata, snapshot)) kept.add(manifest_path)
    },
  )
  const useless = new Set<string>()
  await eachSnapshot(expired, async (snapshot) => {
    const bytes = await store.get(snapshot['manifest-list'])
    // An earlier run has already removed this manifest list.
    if (bytes === undefined) return
    useless.add(snapshot['manifest-list'])
    for (const { manifest_path } of readManifestList(bytes)) if (!kept.has(manifest_path)) useless.add(manifest_path)
  })
  return [...useless]
}

/** The committer waits during this work, so table snapshots are read at the same time and not one after the other. */
const AT_ONCE = 16

async function eachSnapshot(
  snapshots: readonly TableSnapshot[],
  work: (snapshot: TableSnapshot) => Promise<void>,
): Promise<void> {
  const left = [...snapshots]
  const workOff = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await work(next)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, workOff))
}
