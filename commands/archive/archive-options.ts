import { type ArchivePlace, archiveCatalog, archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { makeObjectStore } from '#adapters/object-store/object-store.ts'
import { localArchive, type RecoverableArchive } from '#verify/archive/archive-access.ts'
import { requireEngine } from '../running/running-engine.ts'

/** The options by which a command finds the archive of a deployed stage. */
export const archiveOptions = {
  target: { type: 'string' },
  warehouse: { type: 'string' },
  namespace: { type: 'string' },
  catalog: { type: 'string' },
} as const

/** The part of the help text about these options. */
export const archiveOptionsHelp = `  --target, --warehouse, --namespace   another archive than that of the running stack: the target's URL as its
              administrator, and the outputs ArchiveWarehouse and ArchiveNamespace of the deployed stack. AWS_REGION and
              credentials are taken from the environment; --catalog glue where the archive is kept in Glue`

type Values = { readonly [name in keyof typeof archiveOptions]?: string | undefined }

/**
 * The archive that the options name, by default that of the running stack. Throws an Error that names what is missing.
 */
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
