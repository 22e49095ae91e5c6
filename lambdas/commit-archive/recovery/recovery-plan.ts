import { archiveTableName, findArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import { type ArchiveScan, type ScannedFile, scanArchive } from '#adapters/iceberg/archive/archive-scan.ts'
import { describeGone, findGone } from '#adapters/iceberg/archive/archive-survey.ts'
import {
  checkIdentity,
  commitsOf,
  findDisagreement,
  type KnownTable,
  type TableIdentity,
} from '#adapters/iceberg/archive/known-table.ts'
import type { LoadedTable, RestCatalog, TableName } from '#adapters/iceberg/catalog/rest-catalog.ts'
import type { TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import { type FormerMetadata, findFormerMetadata } from './former-metadata.ts'
import type { RecoveryTools } from './recovery-tools.ts'
import { nameOf } from './rename-table.ts'

/** Metadata of a former table, its data files, and those that its manifests name but the store does not have. */
export type FormerFiles = FormerMetadata & { readonly scan: ArchiveScan; readonly gone: readonly ScannedFile[] }

/** The next step of a recovery. `happened` and `does` are sentences for the user who is asked. */
export type RecoveryStep = { readonly happened: string; readonly does: string } & (
  | { readonly kind: 'rename'; readonly from: TableName; readonly aside: TableName | undefined }
  | { readonly kind: 'register'; readonly former: FormerFiles; readonly aside: TableName | undefined }
  | {
      readonly kind: 'begin'
      readonly former: FormerFiles | undefined
      readonly aside: TableName | undefined
      /** A new table that an interrupted run has made. */
      readonly begun: LoadedTable | undefined
    }
  | { readonly kind: 'adopt'; readonly loaded: LoadedTable }
  | { readonly kind: 'put back'; readonly loaded: LoadedTable; readonly former: FormerFiles | undefined }
  | { readonly kind: 'take out'; readonly loaded: LoadedTable; readonly gone: readonly ScannedFile[] }
  | { readonly kind: 'forget'; readonly gone: readonly string[] }
  | {
      readonly kind: 'begin again'
      readonly former: TableIdentity & { readonly location: string }
      /** The new name of the former table. */
      readonly formerName: TableName
      /** The new name of a table that has the archive's name but does not belong to this ledger. */
      readonly aside: TableName
    }
)

/** Property of a table that a recovery began: the uuid of the table that it replaces. */
export const RECOVERED_FROM = 'tidemark.recovered-from'

/** The next step; undefined when table, ledger and data files are consistent. Throws when only a user can decide. */
export async function planRecovery(tools: RecoveryTools): Promise<RecoveryStep | undefined> {
  const { catalog, place, ledger } = tools
  const table = archiveTableName(place)
  const name = `${table.namespace}.${table.name}`
  const found = await catalog.loadTable(table)
  const known = await ledger.readKnownTable()
  if (known.table === undefined && known.commits.length === 0) return planForNewLedger(tools, found)
  if (known.table !== undefined && known.table.name !== name) checkIdentity(name, undefined, known)
  if (found === undefined || !isUnderItsName(found.metadata, known)) {
    return (await planGoingOn(tools, table, known)) ?? planForAbsent(tools, table, found, known)
  }
  const { metadata } = found
  const problem = findDisagreement(name, metadata, known, true)
  if (problem !== undefined) {
    return commitsOf(metadata) < newestMade(known)
      ? planPuttingBack(tools, found, problem.reason)
      : planAdopting(found, problem.reason)
  }
  return (await planForFiles(tools, found)) ?? planBeginningAgain(tools, table, found, known)
}

/** The step for a topic that was created again: it has other records under the offsets that the table has. */
async function planBeginningAgain(
  tools: RecoveryTools,
  table: TableName,
  { metadata }: LoadedTable,
  { renewal }: KnownTable,
): Promise<RecoveryStep | undefined> {
  const replaced = await tools.ledger.replacedStreams()
  if (renewal?.isLedgerNew || (renewal === undefined && replaced.length === 0)) return undefined
  const former = { name: nameOf(table), uuid: metadata['table-uuid'], location: metadata.location }
  const places = replaced.map(({ topic, topicPartition }) => `${topic}-${topicPartition}`).join(', ')
  const happened = `a topic was deleted and created again, or its log was replaced (${places}): the table ${nameOf(table)} has other records under the offsets that its records have now`
  return beginningAgain(tools, table, former, renewal?.formerName, renewal === undefined ? happened : INTERRUPTED)
}

/** The step when the table has its other name already, and the rest of an earlier run was interrupted. */
async function planGoingOn(
  tools: RecoveryTools,
  table: TableName,
  known: KnownTable,
): Promise<RecoveryStep | undefined> {
  const { table: former, renewal } = known
  if (renewal === undefined || renewal.isLedgerNew || former === undefined || former.location === null) return undefined
  const renamed = await tools.catalog.loadTable({ ...table, name: renewal.formerName })
  if (renamed?.metadata['table-uuid'] !== former.uuid) return undefined
  return beginningAgain(tools, table, { ...former, location: former.location }, renewal.formerName, INTERRUPTED)
}

const INTERRUPTED =
  'the archive was about to begin again with a new table, since a topic was replaced, and was interrupted'

function beginningAgain(
  tools: RecoveryTools,
  table: TableName,
  former: TableIdentity & { readonly location: string },
  name: string | undefined,
  happened: string,
): RecoveryStep {
  const formerName = { ...table, name: name ?? `${table.name}_until_${timeOf(tools)}` }
  return {
    ...{ kind: 'begin again', former, formerName, aside: asideName(tools, table), happened },
    does: `commits what waits to ${nameOf(table)} and renames that table to ${nameOf(formerName)}: it can be read, and nothing changes it or its files any more. Begins a new, empty table ${nameOf(table)} at its own location, with its own ledger. Every record that the topics have now is archived to it, from the first one of each topic partition on; npm run rebuild reads the new table alone`,
  }
}

/**
 * The step for a ledger that never had a commit: it is of a new pipeline, or was restored from before the archive
 * began.
 */
async function planForNewLedger(
  tools: RecoveryTools,
  found: LoadedTable | undefined,
): Promise<RecoveryStep | undefined> {
  if (found !== undefined && isArchive(found.metadata) && commitsOf(found.metadata) > 0) {
    return planAdopting(found, `the table has ${commitsOf(found.metadata)} commits, the ledger in the target has none`)
  }
  // This throws when the table of this name belongs to something else.
  await findArchiveTable(tools.catalog, tools.place, tools.ledger, { isOnlyCommitter: true })
  return undefined
}

const planAdopting = (loaded: LoadedTable, happened: string): RecoveryStep => ({
  ...{ kind: 'adopt', loaded, happened },
  does: 'reads which records the table holds, and takes its commits into the ledger. What waits to be committed and is in the table already is dropped. Where another pipeline writes to the table, stop that one first',
})

const isArchive = ({ properties }: TableMetadata): boolean => properties['tidemark.archive'] !== undefined

/**
 * An older ledger names no table. Then the table with the archive's name is its own, unless the table never had a
 * commit.
 */
const isUnderItsName = (metadata: TableMetadata, { table }: KnownTable): boolean =>
  table === undefined ? isArchive(metadata) && commitsOf(metadata) > 0 : table.uuid === metadata['table-uuid']

/** For an older ledger, a table with another name must have the ledger's last commit. */
function isOfLedger(name: string, metadata: TableMetadata, known: KnownTable): boolean {
  if (known.table !== undefined) return known.table.uuid === metadata['table-uuid']
  return isArchive(metadata) && findDisagreement(name, metadata, known, true) === undefined
}

async function planForAbsent(
  tools: RecoveryTools,
  table: TableName,
  found: LoadedTable | undefined,
  known: KnownTable,
): Promise<RecoveryStep> {
  const name = nameOf(table)
  const uuid = known.table?.uuid
  const begun = found?.metadata.properties[RECOVERED_FROM] === (uuid ?? 'unknown') ? found : undefined
  const aside = found === undefined || begun !== undefined ? undefined : asideName(tools, table)
  const moved = aside === undefined ? '' : `renames the table that has its name now to ${nameOf(aside)}, `
  const elsewhere = await findElsewhere(tools, table, known)
  if (elsewhere !== undefined) {
    return {
      ...{ kind: 'rename', from: elsewhere, aside },
      happened: `the archive table ${name} was renamed to ${nameOf(elsewhere)}`,
      does: `${moved}renames ${nameOf(elsewhere)} back to ${name}`,
    }
  }
  const location = known.table?.location
  const former = location == null || uuid === undefined ? undefined : await findFormerFiles(tools, location, uuid)
  const happened = `the archive table ${name}${uuid === undefined ? '' : ` (uuid ${uuid})`} is not in the catalog under any name: it was dropped`
  if (former !== undefined && begun === undefined && commitsOf(former.metadata) >= newestMade(known)) {
    return {
      ...{ kind: 'register', former, aside, happened },
      does: `${moved}registers the table again from its metadata, which is still at ${former.metadataLocation}: ${describeFiles(former)}. If the catalog cannot do that, it begins a new table with these files`,
    }
  }
  return {
    ...{ kind: 'begin', former, aside, begun, happened },
    does: `${moved}begins a new table ${name} from the ledger: ${former === undefined ? `no metadata of the old one is left${location == null ? '' : ` at ${location}`}, so that nothing names its data files, and the archive has lost what was committed` : describeFiles(former)}. Records that wait are committed to it`,
  }
}

const newestMade = ({ commits }: KnownTable): number => commits.find(({ made }) => made)?.number ?? 0

const describeFiles = ({ scan, gone }: FormerFiles): string =>
  gone.length === 0
    ? `${scan.files.length} data files with ${scan.records} records, all of which are there`
    : `${scan.files.length - gone.length} of ${scan.files.length} data files are there. These are gone: ${describeGone(gone)}`

/** The name of a table that is put aside. Recovery drops no table, because it does not know what the table is for. */
const asideName = ({ now }: RecoveryTools, { namespace, name }: TableName): TableName => ({
  namespace,
  name: `${name}_aside_${timeOf({ now })}`,
})

/** `20261129140500`, in UTC. */
const timeOf = ({ now }: Pick<RecoveryTools, 'now'>): string =>
  new Date(now()).toISOString().replace(/\D/g, '').slice(0, 14)

/** Finds the table of the ledger under another name; its own namespace is searched first. */
async function findElsewhere(
  { catalog, onProgress }: RecoveryTools,
  table: TableName,
  known: KnownTable,
): Promise<TableName | undefined> {
  const seen = new Set<string>()
  for (const namespace of [table.namespace, ...(await namespacesOf(catalog))]) {
    if (seen.has(namespace)) continue
    seen.add(namespace)
    onProgress(`looking for the table in namespace ${namespace}`)
    for (const other of await catalog.listTables(namespace)) {
      if (nameOf(other) === nameOf(table)) continue
      // Some catalogs list tables of other formats, which cannot be loaded.
      const loaded = await catalog.loadTable(other).catch(() => undefined)
      if (loaded !== undefined && isOfLedger(nameOf(table), loaded.metadata, known)) return other
    }
  }
  return undefined
}

/** Empty when the role may only see its own namespaces. */
const namespacesOf = (catalog: RestCatalog): Promise<string[]> => catalog.listNamespaces().catch(() => [])

/** Undefined when no metadata is left, or when files that it refers to cannot be read any more. */
async function findFormerFiles(
  { store, onProgress }: RecoveryTools,
  location: string,
  uuid: string,
): Promise<FormerFiles | undefined> {
  onProgress(`looking for metadata of the table at ${location}`)
  const former = await findFormerMetadata(store, location, uuid)
  if (former === undefined) return undefined
  try {
    const scan = await scanArchive(store, former.metadata)
    return { ...former, scan, gone: await findGone(store, scan.files) }
  } catch (error) {
    if (!/is gone/.test((error as Error).message)) throw error
    return undefined
  }
}

async function planPuttingBack(tools: RecoveryTools, loaded: LoadedTable, happened: string): Promise<RecoveryStep> {
  const { location, 'table-uuid': uuid } = loaded.metadata
  const former = await findFormerFiles(tools, location, uuid)
  const newer = former !== undefined && commitsOf(former.metadata) > commitsOf(loaded.metadata) ? former : undefined
  const does =
    newer === undefined
      ? 'lets the table go on from the last commit of the ledger. No metadata names the files of the commits between, so that the archive has lost their records'
      : `adds the data files of the commits between, which ${newer.metadataLocation} names: ${describeFiles(newer)}`
  return { kind: 'put back', loaded, former: newer, happened, does }
}

async function planForFiles(
  { store, ledger, onProgress }: RecoveryTools,
  loaded: LoadedTable,
): Promise<RecoveryStep | undefined> {
  onProgress('looking for the data files of the table')
  const { files } = await scanArchive(store, loaded.metadata)
  const gone = await findGone(store, files)
  if (gone.length > 0) {
    return {
      ...{ kind: 'take out', loaded, gone },
      happened: `${gone.length} of ${files.length} data files of the table are gone: ${describeGone(gone, 100)}`,
      does: 'removes them from the table, so that it can be read again. If the bucket keeps versions, restore the objects instead',
    }
  }
  const waiting = (await ledger.waitingRanges()).flatMap(({ topic, topicPartition, from, to, files: inRange }) =>
    inRange.map(({ path, records }) => ({
      path,
      holds: `${records} records of offsets ${from} to ${to - 1} of ${topic}-${topicPartition}`,
    })),
  )
  const goneWaiting = await findGone(store, waiting)
  if (goneWaiting.length === 0) return undefined
  return {
    ...{ kind: 'forget', gone: goneWaiting.map(({ path }) => path) },
    happened: `data files that wait to be committed are gone: ${describeGone(goneWaiting, 100)}`,
    does: 'removes them from the ledger, so that the others are committed. If the bucket keeps versions, restore the objects instead',
  }
}
