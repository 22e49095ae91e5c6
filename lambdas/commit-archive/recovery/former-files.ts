import { randomUUID } from 'node:crypto'
import { archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { readEntries } from '#adapters/iceberg/archive/archive-scan.ts'
import { archiveMarks } from '#adapters/iceberg/archive/archive-table.ts'
import { metadataUrl } from '#adapters/iceberg/archive/file-locations.ts'
import { commitsOf } from '#adapters/iceberg/archive/known-table.ts'
import { type CommitTools, commitOnce, readManifests } from '#adapters/iceberg/catalog/commit-once.ts'
import type { LoadedTable } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { prepareAppend } from '#adapters/iceberg/commit/append.ts'
import { newSnapshotId, requirementsOf } from '#adapters/iceberg/commit/commit.ts'
import { describeManifest, type StagedManifest } from '#adapters/iceberg/commit/staged-manifest.ts'
import { addedEntry, type ManifestEntry, writeManifest } from '#adapters/iceberg/table/manifest.ts'
import { currentSchema, partitionSpecOf, type TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import type { FormerFiles } from './recovery-plan.ts'
import type { RecoveryTools } from './recovery-tools.ts'

/** Throws when another engine has deleted rows: adding their file again would show these rows again. */
export function refuseDeletes(entries: readonly ManifestEntry[]): void {
  if (entries.every(({ data_file }) => data_file.content === 0)) return
  throw new Error(
    'another engine deleted rows of the former table, and they would come back. Register the table again from its metadata file in the catalog (aws glue create-table with its metadata_location), then run this again',
  )
}

/** Entries of the data and delete files of the current table snapshot. */
export async function entriesOf(store: RecoveryTools['store'], metadata: TableMetadata): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  for await (const entry of readEntries(store, metadata)) entries.push(entry)
  return entries
}

/** So many entries keep a manifest at 8 MiB, which is Iceberg's own target. */
const ENTRIES_OF_A_MANIFEST = 5_000

/**
 * Adds files of a former state, and gives the table its number of commits. It takes effect once, however often it is
 * tried.
 */
export async function appendFormer(
  tools: RecoveryTools,
  loaded: LoadedTable,
  entries: readonly ManifestEntry[],
  former: FormerFiles | undefined,
): Promise<void> {
  const marks = await marksOf(tools, former)
  const isMade = ({ properties }: TableMetadata) =>
    Object.entries(marks).every(([name, value]) => properties[name] === value)
  const gone = new Set(former?.gone.map(({ path }) => path))
  const kept = entries.filter(({ data_file }) => !gone.has(data_file.file_path))
  const snapshotId = BigInt(marks[archiveMarks.snapshot] ?? newSnapshotId())
  const { metadata } = loaded
  const manifests = isMade(metadata) ? [] : await stage(tools, metadata, kept, snapshotId)
  await commitOnce(commitTools(tools), loaded, {
    isMade,
    prepare: async (present) =>
      manifests.length === 0
        ? { requirements: requirementsOf(present), updates: [{ action: 'set-properties', updates: marks }] }
        : prepareAppend({
            ...{ metadata: present, snapshotId, manifests, properties: marks },
            existingManifests: await readManifests(tools.store, present),
            manifestListPath: metadataUrl(present.location, `snap-${snapshotId}-${randomUUID()}`),
            summary: pick(marks, [archiveMarks.number, archiveMarks.offsets]),
            timestampMs: tools.now(),
          }),
  })
}

/** The tools with which a recovery commits. */
export const commitTools = ({ catalog, place, store, now, pause }: RecoveryTools): CommitTools => ({
  ...{ catalog, store, now, pause },
  table: archiveTableName(place),
})

/** The entries with these names, if they exist. */
export const pick = (from: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])))

/**
 * Number, table snapshot and offsets of the last commit: of the former state, or of the ledger when the former state
 * has fewer commits.
 */
async function marksOf({ ledger }: RecoveryTools, former: FormerFiles | undefined): Promise<Record<string, string>> {
  const { commits } = await ledger.readKnownTable()
  const made = commits.find((commit) => commit.made)
  const names = [archiveMarks.number, archiveMarks.snapshot, archiveMarks.offsets]
  if (former !== undefined && commitsOf(former.metadata) >= (made?.number ?? 0)) {
    return pick(former.metadata.properties, names)
  }
  return made === undefined
    ? { [archiveMarks.number]: '0' }
    : { [archiveMarks.number]: String(made.number), [archiveMarks.snapshot]: String(made.snapshotId) }
}

async function stage(
  { store }: RecoveryTools,
  metadata: TableMetadata,
  entries: readonly ManifestEntry[],
  snapshotId: bigint,
): Promise<StagedManifest[]> {
  const staged: StagedManifest[] = []
  for (let from = 0; from < entries.length; from += ENTRIES_OF_A_MANIFEST) {
    const url = metadataUrl(metadata.location, `recovered-${snapshotId}-${randomUUID()}`)
    const some = entries.slice(from, from + ENTRIES_OF_A_MANIFEST)
    const bytes = writeManifest({
      schema: currentSchema(metadata),
      spec: partitionSpecOf(metadata),
      entries: some.map(({ data_file }) => addedEntry(data_file, snapshotId)),
    })
    await store.put(url, bytes)
    staged.push(describeManifest(url, bytes))
  }
  return staged
}
