import { currentSnapshot, TableMetadataError, type TableSnapshot } from '../table/table-metadata.ts'
import { type CommitInput, holdsManifest, type PreparedCommit, prepareCommit } from './commit.ts'
import type { StagedManifest } from './staged-manifest.ts'

/**
 * A commit that adds the files of staged manifests to the table. The manifests are the same in every attempt;
 * everything else depends on this metadata. Throws a TableMetadataError if a manifest is in the table already.
 */
export function prepareAppend(input: CommitInput & { readonly manifests: readonly StagedManifest[] }): PreparedCommit {
  const { metadata, manifests, existingManifests } = input
  for (const { file } of manifests) {
    if (file.existing_files_count > 0 || file.deleted_files_count > 0) {
      throw new TableMetadataError(`${file.manifest_path} does more than to add files`)
    }
    if (holdsManifest(existingManifests, file.manifest_path)) {
      throw new TableMetadataError(
        `${file.manifest_path} is in the table already: adding it again would double its rows`,
      )
    }
  }
  const sum = (read: (manifest: StagedManifest) => number) => manifests.reduce((total, each) => total + read(each), 0)
  const files = sum(({ file }) => file.added_files_count)
  const records = sum(({ file }) => file.added_rows_count)
  const bytes = sum(({ addedBytes }) => addedBytes)
  const changed = new Set(manifests.flatMap(({ changedTablePartitions }) => [...changedTablePartitions]))
  return prepareCommit(input, manifests, existingManifests, {
    operation: 'append',
    'added-data-files': String(files),
    'added-records': String(records),
    'added-files-size': String(bytes),
    'changed-partition-count': String(changed.size),
    ...totalsAfter(currentSnapshot(metadata), {
      'total-records': records,
      'total-files-size': bytes,
      'total-data-files': files,
    }),
  })
}

const TOTALS = [
  'total-records',
  'total-files-size',
  'total-data-files',
  'total-delete-files',
  'total-position-deletes',
  'total-equality-deletes',
] as const

/**
 * All totals after a commit that adds `added` to the table. A total that the parent does not have is unknown and left
 * out. Without a parent all totals begin at zero. ClickHouse can append only to a table snapshot that has all of them.
 */
export function totalsAfter(
  parent: TableSnapshot | undefined,
  added: Readonly<Partial<Record<(typeof TOTALS)[number], number>>>,
): Record<string, string> {
  const totals: Record<string, string> = {}
  for (const name of TOTALS) {
    const before = parent === undefined ? '0' : parent.summary[name]
    if (before !== undefined && /^\d+$/.test(before)) totals[name] = String(BigInt(before) + BigInt(added[name] ?? 0))
  }
  return totals
}
