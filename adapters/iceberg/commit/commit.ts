import { randomBytes } from 'node:crypto'
import type { ManifestFile } from '../table/manifest-list.ts'
import { currentSnapshot, type TableMetadata, TableMetadataError, type TableSnapshot } from '../table/table-metadata.ts'
import type { StagedManifest } from './staged-manifest.ts'

/** What must hold for a commit to be done; `assert-ref-snapshot-id` is null where the branch must not exist. */
export type TableRequirement =
  | { readonly type: 'assert-table-uuid'; readonly uuid: string }
  | { readonly type: 'assert-ref-snapshot-id'; readonly ref: string; readonly 'snapshot-id': bigint | null }

/** A change of table metadata, as the REST catalog takes it. */
export type TableUpdate =
  | { readonly action: 'add-snapshot'; readonly snapshot: TableSnapshot }
  | {
      readonly action: 'set-snapshot-ref'
      readonly 'ref-name': string
      readonly type: 'branch'
      readonly 'snapshot-id': bigint
    }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: 'remove-snapshots'; readonly 'snapshot-ids': readonly bigint[] }

/** A commit as data: it can be sent as often as it takes, and is done at most once. */
export type TableCommit = {
  readonly requirements: readonly TableRequirement[]
  readonly updates: readonly TableUpdate[]
}

/** A commit of a table snapshot. Its manifest list has to be written to `snapshot['manifest-list']` before it is sent. */
export type PreparedCommit = TableCommit & {
  readonly snapshot: TableSnapshot
  /** What `writeManifestList` takes, with the ids of `snapshot`. */
  readonly manifests: readonly ManifestFile[]
}

/** What every commit of a table snapshot is made from. */
export type CommitInput = {
  /** As loaded; the commit is refused by the catalog when the table has moved on since. */
  readonly metadata: TableMetadata
  readonly snapshotId: bigint
  /** Where the manifest list will be: a new one for each attempt. */
  readonly manifestListPath: string
  /** The manifest list of the current table snapshot of `metadata`, read; empty where there is none. */
  readonly existingManifests: readonly ManifestFile[]
  /** Entries of our own for the summary. */
  readonly summary?: Readonly<Record<string, string>>
  /** Table properties that are set in the same commit. */
  readonly properties?: Readonly<Record<string, string>>
  readonly timestampMs: number
}

/** A random id of a table snapshot: positive and of 63 bits. */
export function newSnapshotId(): bigint {
  const id = BigInt.asUintN(63, randomBytes(8).readBigUInt64BE())
  // Zero is no id, and is as likely as any other.
  return id === 0n ? newSnapshotId() : id
}

/** Whether a manifest is in a table snapshot already: the commit that added it was done. A merge of manifests takes it out. */
export function holdsManifest(manifests: readonly ManifestFile[], path: string): boolean {
  return manifests.some(({ manifest_path }) => manifest_path === path)
}

/**
 * Puts a commit together: the new manifests first, then those kept. Throws a TableMetadataError where the table is of
 * another format version, or where the manifests are not those of its current table snapshot.
 */
export function prepareCommit(
  input: CommitInput,
  staged: readonly StagedManifest[],
  kept: readonly ManifestFile[],
  summary: TableSnapshot['summary'],
): PreparedCommit {
  const { metadata, snapshotId, manifestListPath, properties, timestampMs } = input
  checkBase(input)
  const parent = currentSnapshot(metadata)
  const sequenceNumber = metadata['last-sequence-number'] + 1
  const snapshot: TableSnapshot = {
    'snapshot-id': snapshotId,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent['snapshot-id'] }),
    'sequence-number': sequenceNumber,
    // Catalogs refuse a time before the last change's: a clock that is behind would stop every commit.
    'timestamp-ms': Math.max(timestampMs, metadata['last-updated-ms']),
    'manifest-list': manifestListPath,
    summary: { ...input.summary, ...summary },
    'schema-id': metadata['current-schema-id'],
  }
  return {
    snapshot,
    manifests: [...staged.map((manifest) => commitManifest(manifest, snapshotId, sequenceNumber)), ...kept],
    requirements: requirementsOf(metadata),
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshotId },
      ...(properties === undefined ? [] : [{ action: 'set-properties', updates: properties } as const]),
    ],
  }
}

/** The table is the one that was loaded, and nobody has committed to it since. */
export function requirementsOf(metadata: TableMetadata): TableRequirement[] {
  return [
    { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
    {
      type: 'assert-ref-snapshot-id',
      ref: 'main',
      'snapshot-id': currentSnapshot(metadata)?.['snapshot-id'] ?? null,
    },
  ]
}

function commitManifest({ file, minSequenceNumber }: StagedManifest, id: bigint, sequence: number): ManifestFile {
  return {
    ...file,
    sequence_number: sequence,
    min_sequence_number: minSequenceNumber ?? sequence,
    added_snapshot_id: id,
  }
}

/** Each of these mistakes would drop the rows of all commits before, or show them twice. */
function checkBase({ metadata, snapshotId, existingManifests }: CommitInput): void {
  const refuse = (message: string): never => {
    throw new TableMetadataError(message)
  }
  if (metadata['format-version'] !== 2) refuse(`the table has format version ${metadata['format-version']}, not 2`)
  if (metadata.snapshots.some((snapshot) => snapshot['snapshot-id'] === snapshotId)) {
    refuse(`table snapshot ${snapshotId} is in the table already`)
  }
  const parent = currentSnapshot(metadata)
  if (parent === undefined && existingManifests.length > 0) refuse('manifests are given for a table without any')
  if (parent === undefined) return
  if (existingManifests.length === 0 && Number(parent.summary['total-data-files'] ?? 0) > 0) {
    refuse(`the manifests of table snapshot ${parent['snapshot-id']} are missing`)
  }
  if (existingManifests.some(({ sequence_number }) => sequence_number > parent['sequence-number'])) {
    refuse(`a manifest is newer than table snapshot ${parent['snapshot-id']}`)
  }
}
