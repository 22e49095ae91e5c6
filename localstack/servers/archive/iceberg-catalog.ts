import { join } from 'node:path'
import { makePrivateDirectory, writePrivately } from '#localstack/private-file.ts'
import type { Guard } from '#localstack/processes/guard.ts'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { type RunningService, supervise } from '#localstack/processes/supervise.ts'
import type { StackKey } from '#localstack/stack-key.ts'
import { serverClasses, withClassArchive } from '../java/class-archive.ts'
import { catalogMainClass } from '../java/iceberg-catalog-program.ts'
import type { Jars } from '../java/jars.ts'
import { type JavaSizing, javaEnvironment, javaOptions, quietLog, temporaryFiles } from '../java/java-options.ts'
import { formatProperties } from '../java/properties-file.ts'

/** An Iceberg REST catalog. SQLite has the current metadata file of each table; the files are in the object store. */
export type IcebergCatalogOptions = {
  /** The `java` that runs it. */
  program: string
  jars: Pick<Jars, 'catalogClassPath' | 'classArchives'>
  /** Directory of the data, which is kept between runs. */
  directory: string
  port: number
  /** URL of S3's API. It is first used when a table is created. */
  objectStore: string
  /** Bucket of tables that are created without a location. */
  bucket: string
  region: string
  /** Every request has to be signed with it or show its bearer token. The catalog uses it for the object store, too. */
  key: StackKey
  logFile: string
  guard: Guard
  signal: AbortSignal
  /** Gets a text that says what it is doing, when it takes long to start. */
  onWaiting?: (what: string) => void
}

/**
 * Prefix of the log levels of Iceberg's classes. The servlet would log each conflict with its stack, and S3FileIO that
 * Hadoop is missing. The main class logs the requests that fail.
 */
const LOG_OF_ICEBERG = 'org.slf4j.simpleLogger.log.org.apache.iceberg'

/** The catalog reads a table's metadata as a whole, which is hundreds of kilobytes after a thousand commits. */
const SIZING: JavaSizing = { heapMb: 96, youngMb: 32, compiler: 'quick' }

/**
 * Starts the catalog on 127.0.0.1 under `/iceberg`; resolves when it answers. It accepts any warehouse and prefix. A
 * commit whose requirements do not hold is answered with 409. Throws an Error with the last lines of its log.
 */
export async function startIcebergCatalog(options: IcebergCatalogOptions): Promise<RunningService> {
  const { program, jars, directory, port, key, logFile, guard, signal, onWaiting } = options
  await makePrivateDirectory(directory)
  const file = join(directory, 'iceberg-catalog.properties')
  await writePrivately(
    file,
    formatProperties({ port: String(port), ...keyProperties(key), ...catalogProperties(options) }),
  )
  const run = [
    ...javaOptions(SIZING),
    ...(await temporaryFiles(directory)),
    ...quietLog,
    ...['rest.RESTCatalogServlet=off', 'aws.s3.S3FileIO=error'].map((log) => `-D${LOG_OF_ICEBERG}.${log}`),
    ...['-cp', jars.catalogClassPath],
  ]
  const classes = serverClasses('iceberg-catalog', { program, jars, directory })
  return supervise({
    name: 'iceberg-catalog',
    ...(await withClassArchive(classes, (options) => ({
      ...{ file: program, args: [...options, ...run, catalogMainClass, file], cwd: directory, env: javaEnvironment() },
    }))),
    ready: () => answers(port),
    ...(onWaiting && { onWaiting }),
    stopSignal: 'SIGTERM',
    stopWithinMs: 1_500,
    logFile,
    guard,
    signal,
  })
}

/** The main class removes these properties before JdbcCatalog reads the others. */
const keyProperties = ({ accessKeyId, secretAccessKey, token }: StackKey): Record<string, string> => ({
  'access-key-id': accessKeyId,
  'secret-access-key': secretAccessKey,
  token,
})

function catalogProperties({
  directory,
  objectStore,
  bucket,
  region,
  key,
}: IcebergCatalogOptions): Record<string, string> {
  return {
    // A commit that was answered is on the disk, so that a crash of the machine does not lose it.
    uri: `jdbc:sqlite:${join(directory, 'catalog.sqlite')}?journal_mode=WAL&synchronous=FULL`,
    // There is one connection. With more, requests that meet in SQLite would fail as busy, which is neither 200 nor
    // 409.
    clients: '1',
    'jdbc.schema-version': 'V1',
    warehouse: `s3://${bucket}`,
    'io-impl': 'org.apache.iceberg.aws.s3.S3FileIO',
    // The default factory knows every service, and needs the client of each.
    's3.client-factory-impl': 'org.apache.iceberg.aws.s3.DefaultS3FileIOAwsClientFactory',
    's3.endpoint': objectStore,
    's3.path-style-access': 'true',
    's3.access-key-id': key.accessKeyId,
    's3.secret-access-key': key.secretAccessKey,
    'client.region': region,
    // Otherwise a commit that cannot reach the store would go on for minutes after its caller has given up.
    's3.retry.num-retries': '1',
    's3.retry.min-wait-ms': '200',
    'http-client.type': 'urlconnection',
    // S3Proxy closes the connection after a body in chunks with a trailer, so that some of a hundred writes would fail.
    's3.chunked-encoding-enabled': 'false',
  }
}

/** Whether the catalog answers. A refusal counts, because the request shows no key. */
async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/iceberg/v1/config`, {
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    await response.body?.cancel()
    return response.status === 401
  } catch {
    return false
  }
}
