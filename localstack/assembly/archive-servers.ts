import { join } from 'node:path'
import { makePrivateDirectory } from '#localstack/private-file.ts'
import { whileUnderWay } from '#localstack/progress.ts'
import { startIcebergCatalog } from '#localstack/servers/archive/iceberg-catalog.ts'
import { ensureBucket, type ObjectStoreOptions, startObjectStore } from '#localstack/servers/archive/object-store.ts'
import { type LocalAccount, objectStoreUrl } from './local-account.ts'

/** The bucket of tables that are created without a location. S3 Tables names its own buckets in this form. */
const TABLES_BUCKET = 'local--table-s3'

/**
 * Starts the object store, which has all buckets. Only the first call starts it; later calls wait for the same start.
 */
export function objectStore(account: LocalAccount): Promise<void> {
  return shared('object-store', account, async (place) => {
    const { settings, key, guard, signal, servers } = account
    const service = await startObjectStore({
      ...(await account.java),
      directory: join(settings.directory, 'object-store'),
      port: settings.objectStorePort,
      key,
      ...{ ...place, guard, signal },
    })
    servers.push(service)
  })
}

/**
 * Starts the Iceberg REST catalog, which serves all table buckets and Glue databases, and the object store. Only the
 * first call starts them; later calls wait for the same start.
 */
export async function icebergCatalog(account: LocalAccount): Promise<void> {
  const { settings, stack, key, guard, signal, servers } = account
  const store = objectStore(account)
  const catalog = shared('iceberg-catalog', account, async (place) => {
    const service = await startIcebergCatalog({
      ...(await account.java),
      directory: join(settings.directory, 'iceberg-catalog'),
      port: settings.catalogPort,
      objectStore: objectStoreUrl(settings),
      bucket: TABLES_BUCKET,
      region: stack.region,
      key,
      ...{ ...place, guard, signal },
    })
    // The catalog is not among `workers`, because these stop first, while functions still commit to the catalog.
    servers.push(service)
  })
  await Promise.all([store, catalog])
  await ensureBucket(settings.objectStorePort, TABLES_BUCKET, key)
}

type Starting = Required<Pick<ObjectStoreOptions, 'logFile' | 'onWaiting'>>

function shared(name: string, account: LocalAccount, start: (place: Starting) => Promise<void>): Promise<void> {
  const { shared, settings, step } = account
  const begun = shared.get(name)
  if (begun !== undefined) return begun
  const starting = step(name, async (report) => {
    const logs = join(settings.directory, 'logs')
    await makePrivateDirectory(logs)
    await start({ logFile: join(logs, `${name}.log`), onWaiting: whileUnderWay(report) })
  })
  shared.set(name, starting)
  return starting
}
