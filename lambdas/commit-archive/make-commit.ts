import { randomUUID } from 'node:crypto'
import { prepareAppend } from '#adapters/iceberg/append.ts'
import { writeArchiveManifest } from '#adapters/iceberg/archive-manifest.ts'
import type { DataFileMetrics } from '#adapters/iceberg/data-file-metrics.ts'
import { metadataUrl } from '#adapters/iceberg/file-locations.ts'
import { type ManifestFile, readManifestList, writeManifestList } from '#adapters/iceberg/manifest-list.ts'
import type { LoadedTable, RestCatalog, TableName } from '#adapters/iceberg/rest-catalog.ts'
import { describeManifest, type StagedManifest } from '#adapters/iceberg/staged-manifest.ts'
import { currentSnapshot, type TableMetadata } from '#adapters/iceberg/table-metadata.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import type { PreparedCommit } from '#adapters/postgres/archive-ledger.ts'

/** What a commit is made with. */
export type CommitTools = {
  readonly catalog: Pick<RestCatalog, 'loadTable' | 'commit'>
  readonly table: TableName
  readonly store: Pick<ObjectStore, 'get' | 'put'>
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly pause: (ms: number) => Promise<void>
}

/** The commit is not known to be made: it is prepared still, and the next run finds out. */
export class CommitUnsettledError extends Error {
  override readonly name = 'CommitUnsettledError'
  readonly retryable = true
}

/** The property of the table that says how many commits it has. */
const NUMBER = 'tidemark.commit-number'
/** The entry of a table snapshot's summary that says up to where it has each topic partition. */
const OFFSETS = 'tidemark.offsets'

const ATTEMPTS = 12
const LONGEST_PAUSE_MS = 5_000

/**
 * Makes a prepared commit, once: before each attempt the table is asked whether it has it, since an answer may have been
 * lost or another committer may have made it. Returns how often it was tried. Throws a CommitUnsettledError when it is
 * refused or unanswered again and again.
 */
export async function makeCommit(
  tools: CommitTools,
  loaded: LoadedTable,
  prepared: PreparedCommit<DataFileMetrics>,
): Promise<number> {
  let { metadata } = loaded
  const manifest = await stageManifest(tools, metadata, prepared)
  let last: unknown
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (hasCommit(metadata, prepared)) return attempt - 1
    const outcome = await attemptCommit(tools, metadata, manifest, prepared)
    if (outcome.kind === 'committed') return attempt
    last = outcome.kind === 'conflict' ? outcome.message : outcome.cause
    await tools.pause(Math.min(2 ** attempt * 50, LONGEST_PAUSE_MS) * (0.5 + Math.random()))
    metadata = (await reload(tools)).metadata
  }
  if (hasCommit(metadata, prepared)) return ATTEMPTS
  throw new CommitUnsettledError(
    `commit ${prepared.number} was not made in ${ATTEMPTS} attempts; the next run goes on`,
    {
      cause: last,
    },
  )
}

/**
 * Whether the table has the commit. Its table snapshot may have expired; the number, set by the same commit, has not.
 * Throws when the table is ahead of the ledger, or misses an earlier commit: then the two do not belong together.
 */
function hasCommit(metadata: TableMetadata, { number, snapshotId }: PreparedCommit<unknown>): boolean {
  const made = Number(metadata.properties[NUMBER] ?? 0)
  if (made === number - 1) return false
  if (made !== number) {
    throw new Error(
      `the archive table has ${made} commits and the ledger ${number - 1}: one of them was restored or replaced. Nothing is committed until they agree.`,
    )
  }
  const known = metadata.snapshots.some((snapshot) => snapshot['snapshot-id'] === snapshotId)
  const holder = currentSnapshot(metadata)?.summary[NUMBER]
  if (known || holder !== String(number)) return true
  throw new Error(`commit ${number} of the archive table is not that of the ledger: a second pipeline writes to it`)
}

/** The same for every attempt and every committer, so that finding it there is as good as having written it. */
async function stageManifest(
  { store }: CommitTools,
  metadata: TableMetadata,
  { number, snapshotId, files }: PreparedCommit<DataFileMetrics>,
): Promise<StagedManifest> {
  const url = metadataUrl(metadata.location, `commit-${number}-${snapshotId}`)
  const bytes = writeArchiveManifest(
    metadata,
    files.map((file) => ({ ...file, sorted: !/\/joined-[^/]*$/.test(file.path) })),
  )
  await store.put(url, bytes)
  return describeManifest(url, bytes)
}

async function attemptCommit(
  { catalog, table, store, now }: CommitTools,
  metadata: TableMetadata,
  manifest: StagedManifest,
  { number, snapshotId, offsets }: PreparedCommit<DataFileMetrics>,
) {
  const commit = prepareAppend({
    metadata,
    snapshotId,
    manifests: [manifest],
    existingManifests: await readManifests(store, metadata),
    manifestListPath: metadataUrl(metadata.location, `snap-${snapshotId}-${randomUUID()}`),
    summary: { [NUMBER]: String(number), [OFFSETS]: JSON.stringify(offsets) },
    properties: { [NUMBER]: String(number) },
    timestampMs: now(),
  })
  const { snapshot, manifests } = commit
  const list = writeManifestList({
    snapshotId,
    parentSnapshotId: snapshot['parent-snapshot-id'],
    sequenceNumber: snapshot['sequence-number'],
    manifests,
  })
  await store.put(snapshot['manifest-list'], list)
  return catalog.commit(table, commit)
}

/** The manifests of the current table snapshot. */
export async function readManifests(store: Pick<ObjectStore, 'get'>, metadata: TableMetadata): Promise<ManifestFile[]> {
  const snapshot = currentSnapshot(metadata)
  if (snapshot === undefined) return []
  const bytes = await store.get(snapshot['manifest-list'])
  if (bytes === undefined) throw new Error(`the manifest list ${snapshot['manifest-list']} of the table is gone`)
  return readManifestList(bytes)
}

async function reload({ catalog, table }: CommitTools): Promise<LoadedTable> {
  const loaded = await catalog.loadTable(table)
  if (loaded === undefined) throw new Error(`the table ${table.namespace}.${table.name} is gone from the catalog`)
  return loaded
}
