import { currentSnapshot, snapshotOf, type TableMetadata, type TableSnapshot } from '../table/table-metadata.ts'
import { requirementsOf, type TableCommit } from './commit.ts'

/** A commit that removes table snapshots, and the list of those. Their files can be deleted after the commit. */
export type PreparedExpiry = TableCommit & { readonly expired: readonly TableSnapshot[] }

/**
 * A commit that removes table snapshots from before a time. It never removes the current one, one that a branch or tag
 * refers to, or one of the last `keepLast` of branch main. Undefined if there is none to remove.
 */
export function prepareExpiry({
  metadata,
  olderThanMs,
  keepLast,
}: {
  readonly metadata: TableMetadata
  readonly olderThanMs: number
  readonly keepLast: number
}): PreparedExpiry | undefined {
  const kept = new Set(Object.values(metadata.refs).map((ref) => ref['snapshot-id']))
  for (const snapshot of lastOfMain(metadata, Math.max(keepLast, 1))) kept.add(snapshot['snapshot-id'])
  const expired = metadata.snapshots.filter(
    (snapshot) => snapshot['timestamp-ms'] < olderThanMs && !kept.has(snapshot['snapshot-id']),
  )
  if (expired.length === 0) return undefined
  return {
    expired,
    requirements: [...requirementsOf(metadata), ...otherRefs(metadata)],
    updates: [{ action: 'remove-snapshots', 'snapshot-ids': expired.map((snapshot) => snapshot['snapshot-id']) }],
  }
}

function lastOfMain(metadata: TableMetadata, count: number): TableSnapshot[] {
  const last: TableSnapshot[] = []
  let next = currentSnapshot(metadata)
  while (next !== undefined && last.length < count) {
    last.push(next)
    const parent = next['parent-snapshot-id']
    next = parent === undefined ? undefined : snapshotOf(metadata, parent)
  }
  return last
}

/**
 * The other branches and tags must not change meanwhile: one that is moved to a removed table snapshot would lose it.
 */
const otherRefs = (metadata: TableMetadata) =>
  Object.entries(metadata.refs)
    .filter(([ref]) => ref !== 'main')
    .map(([ref, { 'snapshot-id': id }]) => ({ type: 'assert-ref-snapshot-id', ref, 'snapshot-id': id }) as const)
