import type { ArchiveContent } from '#core/status/observations.ts'
import type { RestCatalog, TableName } from '../catalog/rest-catalog.ts'
import { currentSnapshot } from '../table/table-metadata.ts'

/** Reads from the catalog what the newest table snapshot of the archive table has. Zeros if there is no table yet. */
export async function readArchiveContent(
  catalog: Pick<RestCatalog, 'loadTable'>,
  table: TableName,
): Promise<ArchiveContent> {
  const metadata = (await catalog.loadTable(table))?.metadata
  const summary = (metadata && currentSnapshot(metadata)?.summary) ?? {}
  return {
    rows: Number(summary['total-records'] ?? 0),
    files: Number(summary['total-data-files'] ?? 0),
    bytes: Number(summary['total-files-size'] ?? 0),
    tableSnapshots: metadata?.snapshots.length ?? 0,
  }
}
