import { DELETED, EXISTING, inherit, readManifest, writeManifest } from '../table/manifest.ts'
import type { ManifestFile } from '../table/manifest-list.ts'
import { currentSnapshot } from '../table/table-metadata.ts'
import { type CommitInput, type PreparedCommit, prepareCommit } from './commit.ts'
import { describeManifest, type StagedManifest } from './staged-manifest.ts'

/** A manifest of the table, rewritten without some of its files. */
export type ReducedManifest = {
  readonly replaced: ManifestFile
  readonly path: string
  readonly bytes: Uint8Array
  readonly staged: StagedManifest
  readonly removed: { readonly files: number; readonly records: number; readonly bytes: number }
}

/** Rewrites a manifest so that the files of these paths are marked as deleted. Undefined if it has none of them. */
export function reduceManifest(
  line: ManifestFile,
  bytes: Uint8Array,
  paths: ReadonlySet<string>,
  snapshotId: bigint,
  path: string,
): ReducedManifest | undefined {
  const { schema, spec, entries, content } = readManifest(bytes)
  const live = inherit(entries, line).filter(({ status }) => status !== DELETED)
  const removed = live.filter(({ data_file }) => paths.has(data_file.file_path))
  if (content !== 'data' || removed.length === 0) return undefined
  const written = writeManifest({
    ...{ schema, spec },
    entries: live.map((entry) =>
      paths.has(entry.data_file.file_path)
        ? { ...entry, status: DELETED, snapshot_id: snapshotId }
        : { ...entry, status: EXISTING },
    ),
  })
  const sum = (read: (entry: (typeof removed)[number]) => number) => removed.reduce((all, each) => all + read(each), 0)
  return {
    ...{ replaced: line, path, bytes: written, staged: describeManifest(path, written) },
    removed: {
      files: removed.length,
      records: sum(({ data_file }) => data_file.record_count),
      bytes: sum(({ data_file }) => data_file.file_size_in_bytes),
    },
  }
}

/** A commit that removes data files from the table. `reduced` must have every manifest that lists them. */
export function prepareRemoveFiles(
  input: CommitInput & { readonly reduced: readonly ReducedManifest[] },
): PreparedCommit {
  const { metadata, existingManifests, reduced } = input
  const replaced = new Set(reduced.map((each) => each.replaced.manifest_path))
  const kept = existingManifests.filter(({ manifest_path }) => !replaced.has(manifest_path))
  const sum = (name: keyof ReducedManifest['removed']) => reduced.reduce((all, { removed }) => all + removed[name], 0)
  const before = currentSnapshot(metadata)?.summary ?? {}
  const totals = Object.fromEntries(Object.entries(before).filter(([name]) => name.startsWith('total-')))
  const less = (name: string, by: number) =>
    totals[name] === undefined ? {} : { [name]: String(Math.max(0, Number(totals[name]) - by)) }
  return prepareCommit(
    input,
    reduced.map(({ staged }) => staged),
    kept,
    {
      operation: 'delete',
      'deleted-data-files': String(sum('files')),
      'deleted-records': String(sum('records')),
      'removed-files-size': String(sum('bytes')),
      ...totals,
      ...less('total-data-files', sum('files')),
      ...less('total-records', sum('records')),
      ...less('total-files-size', sum('bytes')),
    },
  )
}
