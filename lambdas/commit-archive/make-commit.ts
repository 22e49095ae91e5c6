// Why is a record never twice in the archive table? A commit has a number, and the table is asked whether it has that
// commit before it is made or tried again. tidemark.archive_range does the same for offsets in the ledger.

import { randomUUID } from 'node:crypto'
import { writeArchiveManifest } from '#adapters/iceberg/archive/archive-manifest.ts'
import { ArchiveProblemError, RECOVER_COMMAND } from '#adapters/iceberg/archive/archive-problem.ts'
import { archiveMarks } from '#adapters/iceberg/archive/archive-table.ts'
import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import { isJoinedFile, metadataUrl } from '#adapters/iceberg/archive/file-locations.ts'
import { type CommitTools, commitOnce, readManifests } from '#adapters/iceberg/catalog/commit-once.ts'
import type { LoadedTable } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { prepareAppend } from '#adapters/iceberg/commit/append.ts'
import { describeManifest, type StagedManifest } from '#adapters/iceberg/commit/staged-manifest.ts'
import type { TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import type { PreparedCommit } from '#adapters/postgres/archive/prepared-commit.ts'

/**
 * Makes a commit that the ledger has prepared, once, and returns the number of attempts. Throws when the table and the
 * ledger do not belong together, or when no attempt is known to have succeeded: the commit then stays prepared, and the
 * next run goes on with it.
 */
export async function makeCommit(
  tools: CommitTools,
  loaded: LoadedTable,
  prepared: PreparedCommit<DataFileMetrics>,
): Promise<number> {
  if (hasCommit(loaded.metadata, prepared)) return 0
  const manifest = await stageManifest(tools, loaded.metadata, prepared)
  const { number, snapshotId, offsets } = prepared
  const { attempts } = await commitOnce(tools, loaded, {
    isMade: (metadata) => hasCommit(metadata, prepared),
    prepare: async (metadata) =>
      prepareAppend({
        metadata,
        snapshotId,
        manifests: [manifest],
        existingManifests: await readManifests(tools.store, metadata),
        manifestListPath: metadataUrl(metadata.location, `snap-${snapshotId}-${randomUUID()}`),
        summary: { [archiveMarks.number]: String(number), [archiveMarks.offsets]: JSON.stringify(offsets) },
        properties: {
          [archiveMarks.number]: String(number),
          [archiveMarks.snapshot]: String(snapshotId),
          // A restored ledger takes the offsets from these properties, because a table snapshot expires.
          [archiveMarks.offsets]: JSON.stringify(offsets),
        },
        timestampMs: tools.now(),
      }),
  })
  return attempts
}

/**
 * Whether the table has the commit. Its table snapshot may have expired, so this compares the table properties that the
 * commit sets. Throws when the table has more commits than the ledger, or fewer: then they do not belong together.
 */
function hasCommit({ properties }: TableMetadata, { number, snapshotId }: PreparedCommit<unknown>): boolean {
  const made = Number(properties[archiveMarks.number] ?? 0)
  if (made === number - 1) return false
  if (made === number && properties[archiveMarks.snapshot] === String(snapshotId)) return true
  throw new ArchiveProblemError({
    kind: 'table',
    reason: `the archive table has ${made} commits, the last of table snapshot ${properties[archiveMarks.snapshot]}, and the ledger is about to make commit ${number}: one of them was restored, or another pipeline writes to the table`,
    command: RECOVER_COMMAND,
  })
}

/** The manifest is the same for every attempt and every committer, so one that is already there can be used. */
async function stageManifest(
  { store }: CommitTools,
  metadata: TableMetadata,
  { number, snapshotId, files }: PreparedCommit<DataFileMetrics>,
): Promise<StagedManifest> {
  const url = metadataUrl(metadata.location, `commit-${number}-${snapshotId}`)
  const sorted = files.map((file) => ({ ...file, sorted: !isJoinedFile(file.path) }))
  const bytes = writeArchiveManifest(metadata, sorted, snapshotId)
  await store.put(url, bytes)
  return describeManifest(url, bytes)
}
