import type { ManifestFile } from '../table/manifest-list.ts'
import { currentSnapshot } from '../table/table-metadata.ts'
import { totalsAfter } from './append.ts'
import { type CommitInput, type PreparedCommit, prepareCommit } from './commit.ts'
import type { StagedManifest } from './staged-manifest.ts'

/**
 * A commit that replaces manifests by one of `mergeManifests`, which lists the same files; no row changes. Undefined if
 * a replaced manifest is no longer in the table, and the caller has to merge again. Throws a RangeError if files or
 * rows would be lost or doubled.
 */
export function prepareRewriteManifests(
  input: CommitInput & {
    readonly merged: StagedManifest
    /** Paths of the manifests that are merged. */
    readonly replaced: ReadonlySet<string>
  },
): PreparedCommit | undefined {
  const { metadata, merged, replaced, existingManifests } = input
  const gone = existingManifests.filter(({ manifest_path }) => replaced.has(manifest_path))
  if (gone.length !== replaced.size) return undefined
  checkSameFiles(merged, gone)
  const kept = existingManifests.filter(({ manifest_path }) => !replaced.has(manifest_path))
  return prepareCommit(input, [merged], kept, {
    operation: 'replace',
    'manifests-created': '1',
    'manifests-kept': String(kept.length),
    'manifests-replaced': String(gone.length),
    'entries-processed': String(merged.file.existing_files_count),
    'changed-partition-count': '0',
    ...totalsAfter(currentSnapshot(metadata), {}),
  })
}

function checkSameFiles({ file }: StagedManifest, replaced: readonly ManifestFile[]): void {
  const sum = (read: (manifest: ManifestFile) => number) => replaced.reduce((total, each) => total + read(each), 0)
  const files = sum((each) => each.added_files_count + each.existing_files_count)
  const rows = sum((each) => each.added_rows_count + each.existing_rows_count)
  const others = file.added_files_count + file.deleted_files_count
  if (file.existing_files_count === files && file.existing_rows_count === rows && others === 0) return
  throw new RangeError(
    `${file.manifest_path} holds ${file.existing_files_count} files and ${file.existing_rows_count} rows, ` +
      `the manifests that it replaces ${files} and ${rows}`,
  )
}
