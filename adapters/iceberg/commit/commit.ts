import { randomBytes } from 'node:crypto'
import type { ManifestFile } from '../table/manifest-list.ts'
import { currentSnapshot, type TableMetadata, TableMetadataError, type TableSnapshot } from '../table/table-metadata.ts'
import type { StagedManifest } from './staged-manifest.ts'

/** A condition of a commit. `assert-ref-snapshot-id` is null if the branch must not exist. */
export type TableRequirement =
  | { readonly type: 'assert-table-uuid'; readonly uuid: string }
  | { readonly type: 'assert-ref-snapshot-id'; readonly ref: string; readonly 'snapshot-id': bigint | null }

/** A change of the table metadata in the form that the REST catalog takes. */
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

/** A commit as data. It can be sent repeatedly, and is done at most once. */
export type TableCommit = {
  readonly requirements: readonly TableRequirement[]
  readonly updates: readonly TableUpdate[]
}

/**
 * A commit that adds a table snapshot. Its manifest list must be written to `snapshot['manifest-list']` before the
 * commit is sent.
 */
export type PreparedCommit = TableCommit & {
  readonly snapshot: TableSnapshot
  /** The manifests for `writeManifestList`, with the ids of `snapshot`. */
  readonly manifests: readonly ManifestFile[]
}

/** The input for every commit that adds a table snapshot. */
export type CommitInput = {
  /** The metadata as it was loaded. The catalog refuses the commit if the table has changed since. */
  readonly metadata: TableMetadata
  readonly snapshotId: bigint
  /** The URL where the manifest list will be written, a new one for each attempt. */
  readonly manifestListPath: string
  /** The content of the manifest list of the current table snapshot of `metadata`; empty if there is none. */
  readonly existingManifests: readonly ManifestFile[]
  /** Additional entries for the summary. */
  readonly summary?: Readonly<Record<string, string>>
  /** Table properties that the same commit sets. */
  readonly properties?: Readonly<Record<string, string>>
  readonly timestampMs: number
}

/** A random id for a table snapshot, which is positive and has 63 bits. */
export function newSnapshotId(): bigint {
  const id = BigInt.asUintN(63, randomBytes(8).readBigUInt64BE())
  // Zero is not a valid id.
  return id === 0n ? newSnapshotId() : id
}

/**
 * Whether a manifest is in a table snapshot, and so its commit was done. After a merge of manifests it is no longer in
 * the table.
 */
export function holdsManifest(manifests: readonly ManifestFile[], path: string): boolean {
  return manifests.some(({ manifest_path }) => manifest_path === path)
}

/**
 * Puts a commit together: the new manifests come first, then those that are kept. Throws a TableMetadataError if the
 * table has another format version, or if the manifests are not those of its current table snapshot.
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
    // Catalogs refuse a time before the last change of the table. Without this, a clock that is behind would stop every
    // commit.
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

/** The requirements that the table is the one that was loaded, and that no other commit was made since. */
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

/** Each of these mistakes would drop the rows of all earlier commits, or add them twice. */
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
