import { archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import type { LoadedTable, TableName } from '#adapters/iceberg/catalog/rest-catalog.ts'
import type { RecoveryTools } from './recovery-tools.ts'

/** `namespace.table`, as messages write it. */
export const nameOf = ({ namespace, name }: TableName): string => `${namespace}.${name}`

/** Gives the table that has the archive's name another name; does nothing when `aside` is undefined. */
export const moveAside = async (tools: RecoveryTools, aside: TableName | undefined): Promise<void> =>
  aside === undefined ? undefined : rename(tools, archiveTableName(tools.place), aside)

/** Renames a table. When the catalog cannot, it throws an Error with the commands that do it. */
export async function rename({ catalog }: RecoveryTools, from: TableName, to: TableName): Promise<void> {
  const outcome = await catalog.renameTable(from, to)
  if (outcome === 'renamed') return
  if (outcome === 'unsupported') throw new Error(callsThatRename(from, to, await catalog.loadTable(from)))
  throw new Error(
    `${nameOf(from)} could not be renamed to ${nameOf(to)}: ${outcome === 'exists' ? 'the name is taken' : 'it does not exist any more'}. Run the recovery again`,
  )
}

/**
 * Glue cannot rename. The commands create a second entry for the same metadata and delete the first; the files stay.
 */
function callsThatRename(from: TableName, to: TableName, loaded: LoadedTable | undefined): string {
  const input = {
    ...{ Name: to.name, TableType: 'EXTERNAL_TABLE' },
    Parameters: { table_type: 'ICEBERG', metadata_location: loaded?.metadataLocation ?? '<metadata location>' },
  }
  return [
    `the catalog cannot rename ${nameOf(from)} to ${nameOf(to)}. Run these, then this again:`,
    `aws glue create-table --database-name ${to.namespace} --table-input '${JSON.stringify(input)}'`,
    `aws glue delete-table --database-name ${from.namespace} --name ${from.name}`,
  ].join('\n')
}
