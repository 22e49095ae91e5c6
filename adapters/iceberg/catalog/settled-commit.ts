import type { ObjectStore } from '../../object-store/object-store.ts'
import type { PreparedCommit, TableCommit } from '../commit/commit.ts'
import { type ManifestFile, readManifestList, writeManifestList } from '../table/manifest-list.ts'
import { currentSnapshot, type TableMetadata, type TableSnapshot } from '../table/table-metadata.ts'
import type { LoadedTable, RestCatalog, TableName } from './rest-catalog.ts'

/** What commits are made with. */
export type CommitTools = {
  readonly catalog: Pick<RestCatalog, 'loadTable' | 'commit'>
  readonly table: TableName
  readonly store: Pick<ObjectStore, 'get' | 'put'>
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly pause: (ms: number) => Promise<void>
}

/** A commit that is to be made once, whoever else commits. */
export type CommitPlan = {
  /** Whether the table has it already. */
  readonly isMade: (metadata: TableMetadata) => boolean
  /** It, on top of the table as it is now; undefined when there is nothing left to do. */
  readonly prepare: (metadata: TableMetadata) => Promise<PreparedCommit | TableCommit | undefined>
}

/** How a plan ended. */
export type SettledCommit = { readonly attempts: number; readonly metadata: TableMetadata }

/** The commit is not known to be made: refused or unanswered again and again. */
export class CommitUnsettledError extends Error {
  override readonly name = 'CommitUnsettledError'
}

const ATTEMPTS = 12
const LONGEST_PAUSE_MS = 5_000

/**
 * Makes a commit. Before each attempt the table is asked whether it has it: an answer may have been lost, or another may
 * have made it. Throws a CommitUnsettledError when no attempt is known to have succeeded.
 */
export async function settleCommit(tools: CommitTools, loaded: LoadedTable, plan: CommitPlan): Promise<SettledCommit> {
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
  throw new CommitUnsettledError(`a commit to ${nameOf(tools.table)} was not made in ${ATTEMPTS} attempts`, {
    cause: last,
  })
}

/** The manifests of a table snapshot, of the current one by default. Throws when its list is gone. */
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
