import { S3Client } from '@aws-sdk/client-s3'
import { type ArchivePlace, archiveCatalog, archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { makeRestCatalog, type RestCatalog, type TableName } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { makeRequestSigner } from '#adapters/iceberg/catalog/sign-requests.ts'
import type { TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import { makeObjectStore, type ObjectStore } from '#adapters/object-store/object-store.ts'
import type { EngineEndpoints } from '#localstack/engine.ts'
import { requireEngine } from '../running/running-engine.ts'

/** The archive table, and where its files are. */
export type Archive = {
  readonly catalog: Pick<RestCatalog, 'loadTable'>
  readonly table: TableName
  readonly store: Pick<ObjectStore, 'get'>
}

/** The archive and the database that holds its ledger, as the administrator. */
export type ArchiveAccess = Archive & { readonly target: string }

/** The same with what recovery needs. */
export type RecoverableArchive = ArchiveAccess & {
  readonly catalog: RestCatalog
  readonly store: ObjectStore
  readonly place: ArchivePlace
}

/** The local stack's. */
const REGION = 'us-east-1'

/** Options of a command that say where the archive of a deployed stage is. */
export const archiveOptions = {
  target: { type: 'string' },
  warehouse: { type: 'string' },
  namespace: { type: 'string' },
  catalog: { type: 'string' },
} as const

/** How help texts describe them. */
export const archiveOptionsHelp = `  --target, --warehouse, --namespace   another archive than that of the running stack: the target's URL as its
              administrator, and the outputs ArchiveWarehouse and ArchiveNamespace of the deployed stack. AWS_REGION and
              credentials are taken from the environment; --catalog glue where the archive is kept in Glue`

type Values = { readonly [name in keyof typeof archiveOptions]?: string | undefined }

/** The archive that the options name, that of the running stack without any. Throws an Error that says what is missing. */
export async function findArchive(values: Values): Promise<RecoverableArchive> {
  const { target, warehouse, namespace, catalog = 's3tables' } = values
  if ([target, warehouse, namespace, values.catalog].every((value) => value === undefined)) return runningArchive()
  if (target === undefined || warehouse === undefined || namespace === undefined) {
    throw new Error('give --target, --warehouse and --namespace, or none of them')
  }
  if (catalog !== 's3tables' && catalog !== 'glue') throw new Error(`--catalog ${catalog} is neither s3tables nor glue`)
  const place: ArchivePlace = { catalog, warehouse, namespace, location: '' }
  return {
    catalog: archiveCatalog(place, process.env),
    table: archiveTableName(place),
    store: makeObjectStore(),
    place,
    target,
  }
}

async function runningArchive(): Promise<RecoverableArchive> {
  const { endpoints, outputs } = await requireEngine()
  const namespace = outputs['ArchiveNamespace']
  if (namespace === undefined) throw new Error('the running stack has no archive: start it again with this version')
  const warehouse = outputs['ArchiveWarehouse'] ?? ''
  const place: ArchivePlace = { catalog: 's3tables', warehouse, namespace, location: '' }
  return { ...localArchive(endpoints, namespace, warehouse), place, target: endpoints.target }
}

/** The catalog of the local stack, asked with the stack's key. */
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

/** The table as it is now. Throws an Error when nothing was archived yet. */
export async function loadArchive({ catalog, table }: Archive): Promise<TableMetadata> {
  const loaded = await catalog.loadTable(table)
  if (loaded === undefined) throw new Error(`there is no archive table ${table.namespace}.${table.name} yet`)
  return loaded.metadata
}
