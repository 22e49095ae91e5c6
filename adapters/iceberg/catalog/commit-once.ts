import type { ObjectStore } from '../../object-store/object-store.ts'
import type { PreparedCommit, TableCommit } from '../commit/commit.ts'
import { type ManifestFile, readManifestList, writeManifestList } from '../table/manifest-list.ts'
import { currentSnapshot, type TableMetadata, type TableSnapshot } from '../table/table-metadata.ts'
import type { LoadedTable, RestCatalog, TableName } from './rest-catalog.ts'

/** The clients and clocks that a commit needs. */
export type CommitTools = {
  readonly catalog: Pick<RestCatalog, 'loadTable' | 'commit'>
  readonly table: TableName
  readonly store: Pick<ObjectStore, 'get' | 'put'>
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly pause: (ms: number) => Promise<void>
}

/** A commit that has to be made exactly once, even if other processes commit too. */
export type CommitPlan = {
  /** Whether the commit is in the table already. */
  readonly isMade: (metadata: TableMetadata) => boolean
  /** The commit on top of the present table; undefined if nothing is left to do. */
  readonly prepare: (metadata: TableMetadata) => Promise<PreparedCommit | TableCommit | undefined>
}

/** The result of a plan: the number of attempts, and the metadata of the table after them. */
export type MadeCommit = { readonly attempts: number; readonly metadata: TableMetadata }

/** The commit is not known to be made: every attempt was refused or not answered. */
export class CommitNotMadeError extends Error {
  override readonly name = 'CommitNotMadeError'
}

const ATTEMPTS = 12
const LONGEST_PAUSE_MS = 5_000

/**
 * Makes a commit. Before each attempt the table is checked for it, because the answer of a former attempt may have been
 * lost, or another process may have made it. Throws a CommitNotMadeError if no attempt is known to have succeeded.
 */
export async function commitOnce(tools: CommitTools, loaded: LoadedTable, plan: CommitPlan): Promise<MadeCommit> {
  let { metadata } = loaded
  let last: unknown
  for (let attempts = 0; attempts < ATTEMPTS; attempts++) {
    if (plan.isMade(metadata)) return { attempts, metadata }
    const commit = await plan.prepare(metadata)
    if (commit === undefined) return { attempts, metadata }
    if ('manifests' in commit) await writeList(tools, commit)
    const outcome = await tools.catalog.commit(tools.table, commit)
    if (outcome.kind === 'committed') return { attempts: attempts + 1, metadata: outcome.metadata }
    last = outcome.kind === 'conflict' ? outcome.message : outcome.cause
    await tools.pause(Math.min(2 ** attempts * 100, LONGEST_PAUSE_MS) * (0.5 + Math.random()))
    metadata = (await reload(tools)).metadata
  }
  if (plan.isMade(metadata)) return { attempts: ATTEMPTS, metadata }
  throw new CommitNotMadeError(`a commit to ${nameOf(tools.table)} was not made in ${ATTEMPTS} attempts`, {
    cause: last,
  })
}

/** The manifests of a table snapshot, by default of the current one. Throws an Error if its manifest list is gone. */
export async function readManifests(
  store: Pick<ObjectStore, 'get'>,
  metadata: TableMetadata,
  snapshot: TableSnapshot | undefined = currentSnapshot(metadata),
): Promise<ManifestFile[]> {
  if (snapshot === undefined) return []
  const bytes = await store.get(snapshot['manifest-list'])
  if (bytes === undefined) throw new Error(`the manifest list ${snapshot['manifest-list']} of the table is gone`)
  return readManifestList(bytes)
}

async function writeList({ store }: CommitTools, { snapshot, manifests }: PreparedCommit): Promise<void> {
  const list = writeManifestList({
    snapshotId: snapshot['snapshot-id'],
    parentSnapshotId: snapshot['parent-snapshot-id'],
    sequenceNumber: snapshot['sequence-number'],
    manifests,
  })
  await store.put(snapshot['manifest-list'], list)
}

async function reload({ catalog, table }: CommitTools): Promise<LoadedTable> {
  const loaded = await catalog.loadTable(table)
  if (loaded === undefined) throw new Error(`the table ${nameOf(table)} is gone from the catalog`)
  return loaded
}

const nameOf = ({ namespace, name }: TableName): string => `${namespace}.${name}`
