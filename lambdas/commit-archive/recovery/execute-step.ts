import { randomUUID } from 'node:crypto'
import { archiveTableName, beginArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import { archiveMarks } from '#adapters/iceberg/archive/archive-table.ts'
import { metadataUrl } from '#adapters/iceberg/archive/file-locations.ts'
import { commitOnce, readManifests } from '#adapters/iceberg/catalog/commit-once.ts'
import type { LoadedTable } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { newSnapshotId } from '#adapters/iceberg/commit/commit.ts'
import { prepareRemoveFiles, type ReducedManifest, reduceManifest } from '#adapters/iceberg/commit/remove-files.ts'
import { snapshotOf } from '#adapters/iceberg/table/table-metadata.ts'
import { adoptTable } from './adopt-table.ts'
import { beginAgain } from './begin-again.ts'
import { appendFormer, commitTools, entriesOf, pick, refuseDeletes } from './former-files.ts'
import { type FormerFiles, RECOVERED_FROM, type RecoveryStep } from './recovery-plan.ts'
import type { RecoveryTools } from './recovery-tools.ts'
import { moveAside, nameOf, rename } from './rename-table.ts'
import { placeOf } from './table-place.ts'

/** Executes a step. If it is interrupted at any place, the next plan goes on from there. */
export async function executeStep(tools: RecoveryTools, step: RecoveryStep): Promise<void> {
  switch (step.kind) {
    case 'rename':
      await moveAside(tools, step.aside)
      return rename(tools, step.from, archiveTableName(tools.place))
    case 'register':
      return register(tools, step)
    case 'begin':
      return begin(tools, step)
    case 'adopt':
      return adoptTable(tools, step.loaded.metadata)
    case 'put back':
      return putBack(tools, step.loaded, step.former)
    case 'take out':
      return takeOut(tools, step.loaded, new Set(step.gone.map(({ path }) => path)))
    case 'forget':
      return tools.ledger.forgetWaiting(step.gone)
    case 'begin again':
      return beginAgain(tools, step)
  }
}

async function register(tools: RecoveryTools, step: RecoveryStep & { kind: 'register' }): Promise<void> {
  await moveAside(tools, step.aside)
  const outcome = await tools.catalog.registerTable(archiveTableName(tools.place), step.former.metadataLocation)
  if (outcome === 'unsupported') return begin(tools, { ...step, kind: 'begin', aside: undefined, begun: undefined })
}

/**
 * Adds every file that the former table had and that still exists, in one commit with the number of the ledger's last
 * one.
 */
async function begin(tools: RecoveryTools, step: RecoveryStep & { kind: 'begin' }): Promise<void> {
  const { place, catalog, ledger, store } = tools
  const known = await ledger.readKnownTable()
  const entries = step.former === undefined ? [] : await entriesOf(store, step.former.metadata)
  refuseDeletes(entries)
  await moveAside(tools, step.aside)
  const properties = { [RECOVERED_FROM]: known.table?.uuid ?? 'unknown' }
  // The place where a first table is created may be that of a table that was put aside since.
  const at = known.table?.location == null ? place.location : placeOf(known.table.location)
  const begun = step.begun ?? (await beginArchiveTable(catalog, { ...place, location: at }, properties))
  await appendFormer(tools, begun, entries, step.former)
  const { location, 'table-uuid': uuid } = begun.metadata
  await ledger.rebind({ name: nameOf(archiveTableName(place)), uuid, location })
}

async function putBack(tools: RecoveryTools, loaded: LoadedTable, former: FormerFiles | undefined): Promise<void> {
  const { store } = tools
  const present = new Set((await entriesOf(store, loaded.metadata)).map(({ data_file }) => data_file.file_path))
  const entries = former === undefined ? [] : await entriesOf(store, former.metadata)
  const missing = entries.filter(({ data_file }) => !present.has(data_file.file_path))
  refuseDeletes(missing)
  // Files that an engine has joined have rows that the table already has in other files.
  const rewritten = [...present].filter((path) => !entries.some(({ data_file }) => data_file.file_path === path))
  if (former !== undefined && rewritten.length > 0) {
    throw new Error(
      `another engine has rewritten data files between the two states of the table. Set the table to ${former.metadataLocation} with the catalog's own means, then run this again`,
    )
  }
  await appendFormer(tools, loaded, missing, former)
}

async function takeOut(tools: RecoveryTools, loaded: LoadedTable, gone: ReadonlySet<string>): Promise<void> {
  const { store, now } = tools
  const snapshotId = newSnapshotId()
  await commitOnce(commitTools(tools), loaded, {
    isMade: (metadata) => snapshotOf(metadata, snapshotId) !== undefined,
    prepare: async (metadata) => {
      const existingManifests = await readManifests(store, metadata)
      const reduced: ReducedManifest[] = []
      for (const line of existingManifests) {
        const bytes = await store.get(line.manifest_path)
        if (bytes === undefined) throw new Error(`the manifest ${line.manifest_path} of the table is gone`)
        const url = metadataUrl(metadata.location, `reduced-${snapshotId}-${randomUUID()}`)
        const each = reduceManifest(line, bytes, gone, snapshotId, url)
        if (each === undefined) continue
        await store.put(url, each.bytes)
        reduced.push(each)
      }
      if (reduced.length === 0) return undefined
      const manifestListPath = metadataUrl(metadata.location, `snap-${snapshotId}-${randomUUID()}`)
      const summary = pick(metadata.properties, [archiveMarks.number, archiveMarks.offsets])
      return prepareRemoveFiles({
        ...{ metadata, snapshotId, existingManifests, reduced, manifestListPath, summary },
        timestampMs: now(),
      })
    },
  })
}
