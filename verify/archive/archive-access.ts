import { S3Client } from '@aws-sdk/client-s3'
import { type ArchivePlace, archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { makeRestCatalog, type RestCatalog, type TableName } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { makeRequestSigner } from '#adapters/iceberg/catalog/sign-requests.ts'
import type { TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import { makeObjectStore, type ObjectStore } from '#adapters/object-store/object-store.ts'
import type { EngineEndpoints } from '#localstack/engine.ts'

/** The archive table and the store of its files. */
export type Archive = {
  readonly catalog: Pick<RestCatalog, 'loadTable'>
  readonly table: TableName
  readonly store: Pick<ObjectStore, 'get'>
}

/** The archive and the URL of the database that has its ledger, for the administrator. */
export type ArchiveAccess = Archive & { readonly target: string }

/** An ArchiveAccess with the operations that recovery needs. */
export type RecoverableArchive = ArchiveAccess & {
  readonly catalog: RestCatalog
  readonly store: ObjectStore
  readonly place: ArchivePlace
}

/** The region of the local stack. */
const REGION = 'us-east-1'

/** The catalog of the local stack. Requests to it are signed with the stack's key. */
export function localCatalog(
  { catalog: endpoint, key }: Pick<EngineEndpoints, 'catalog' | 'key'>,
  warehouse?: string,
): RestCatalog {
  const sign = makeRequestSigner({ service: 's3tables', region: REGION, credentials: { ...key } })
  return makeRestCatalog({ endpoint, warehouse, sign })
}

/** The archive on servers of the local stack. */
export function localArchive(
  endpoints: Pick<EngineEndpoints, 'catalog' | 'objectStore' | 'key'>,
  namespace: string,
  warehouse?: string,
): Omit<RecoverableArchive, 'place' | 'target'> {
  const client = new S3Client({
    endpoint: endpoints.objectStore,
    region: REGION,
    forcePathStyle: true,
    credentials: { ...endpoints.key },
  })
  return {
    catalog: localCatalog(endpoints, warehouse),
    table: archiveTableName({ namespace }),
    store: makeObjectStore(client),
  }
}

/** Loads the metadata of the table. Throws an Error if nothing was archived yet. */
export async function loadArchive({ catalog, table }: Archive): Promise<TableMetadata> {
  const loaded = await catalog.loadTable(table)
  if (loaded === undefined) throw new Error(`there is no archive table ${table.namespace}.${table.name} yet`)
  return loaded.metadata
}
