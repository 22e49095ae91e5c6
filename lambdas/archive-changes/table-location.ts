import { checkRenewal, type KnownTable, newestNumber, type TableLedger } from '#adapters/iceberg/archive/known-table.ts'
import type { LoadedTable } from '#adapters/iceberg/catalog/rest-catalog.ts'

/**
 * Returns a function that gives the URL of the archive table's location. It asks the catalog at the first event of a
 * process. It asks again when the ledger notes a problem of the table, belongs to another table or has fewer commits
 * than before, and when the target was restarted, which may have restored an older backup. Throws while the archive
 * begins again with a new table.
 */
export function makeTableLocation(
  ledger: Pick<TableLedger, 'readKnownTable'>,
  openTable: () => Promise<LoadedTable>,
): () => Promise<string> {
  let seen: Seen | undefined
  return async () => {
    const known = await ledger.readKnownTable()
    checkRenewal(known)
    if (seen !== undefined && isSame(known, seen)) {
      seen.commits = newestNumber(known)
      return seen.location
    }
    const { metadata } = await openTable()
    seen = {
      ...{ uuid: metadata['table-uuid'], location: metadata.location },
      ...{ commits: newestNumber(known), database: known.database },
    }
    return seen.location
  }
}

type Seen = { uuid: string; location: string; commits: number; database: string }

const isSame = (known: KnownTable, seen: Seen): boolean =>
  known.problem === undefined &&
  known.table?.uuid === seen.uuid &&
  known.table.location === seen.location &&
  newestNumber(known) >= seen.commits &&
  known.database === seen.database
