import { archiveTableName, beginArchiveTable, openArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import { renewalProblem, type TableIdentity, type TableLedger } from '#adapters/iceberg/archive/known-table.ts'
import type { LoadedTable, TableName } from '#adapters/iceberg/catalog/rest-catalog.ts'
import type { TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import { commitAll } from '../commit-archive.ts'
import { commitTools } from './former-files.ts'
import type { RecoveryStep } from './recovery-plan.ts'
import type { RecoveryTools } from './recovery-tools.ts'
import { moveAside, rename } from './rename-table.ts'
import { isIn, placeBeside } from './table-place.ts'

/** Property of a table with which the archive began again: the uuid of the table before it. */
const FOLLOWS = 'tidemark.follows'

type BeginAgain = RecoveryStep & { readonly kind: 'begin again' }

/**
 * Commits what waits, renames the table, begins a new one, and begins the ledger again with it. From the first call on
 * nothing is archived, until the consumer groups are set to the beginning of their topics. Each part takes effect once,
 * however often it is interrupted.
 */
export async function beginAgain(tools: RecoveryTools, step: BeginAgain): Promise<void> {
  const { catalog, place, ledger } = tools
  const table = archiveTableName(place)
  const { former } = step
  const underWay = renewalProblem({ isLedgerNew: false })
  const formerName = { ...table, name: await ledger.beginRenewal(former, step.formerName.name, underWay) }
  const found = await catalog.loadTable(table)
  if (found?.metadata['table-uuid'] === former.uuid) {
    await commitWaiting(tools)
    await rename(tools, table, formerName)
  } else if (found !== undefined && !isFollower(found.metadata, former.uuid)) {
    await moveAside(tools, step.aside)
  }
  const { metadata } = await beginFollower(tools, former, formerName)
  const { 'table-uuid': uuid, location } = metadata
  await ledger.renew({ name: former.name, uuid, location }, renewalProblem({ isLedgerNew: true }))
}

async function commitWaiting(tools: RecoveryTools): Promise<void> {
  const { catalog, place, store, ledger, signal, onProgress } = tools
  const summary = { commits: 0, attempts: 0, records: 0, files: 0, busy: false }
  const options = {
    ...commitTools(tools),
    store,
    // The files stay where they are, also those whose rows are in a joined file.
    removeSpent: async () => undefined,
    openTable: (known: TableLedger) => {
      signal?.throwIfAborted()
      onProgress(`committing what waits: ${summary.records} records so far`)
      return openArchiveTable(catalog, place, known, { isOnlyCommitter: true })
    },
    commit: { afterMs: 0, afterBytes: 0 },
  }
  await commitAll(options, ledger, false, Number.POSITIVE_INFINITY, summary)
}

async function beginFollower(
  { catalog, place }: RecoveryTools,
  former: TableIdentity & { readonly location: string },
  formerName: TableName,
): Promise<LoadedTable> {
  const table = archiveTableName(place)
  const found = await catalog.loadTable(table)
  const location = placeBeside(former.location, formerName.name)
  const begun =
    found !== undefined && isFollower(found.metadata, former.uuid)
      ? found
      : await beginArchiveTable(catalog, { ...place, location }, { [FOLLOWS]: former.uuid })
  const { metadata } = begun
  if (isIn(metadata.location, former.location) || isIn(former.location, metadata.location)) {
    throw new Error(
      `the catalog put the new table ${former.name} at ${metadata.location}, and the files of the former one are at ${former.location}: maintenance of one would remove files of the other. Drop the new table, which is empty, give the namespace another default location, and run this again`,
    )
  }
  return begun
}

const isFollower = ({ properties }: TableMetadata, uuid: string): boolean => properties[FOLLOWS] === uuid
