import {
  type ArchiveColumn,
  archiveColumns,
  archivePartitionSpec,
  archiveProperties,
  archiveSchema,
  archiveSortOrder,
} from './archive-table.ts'
import { type LoadedTable, makeRestCatalog, type RestCatalog, type TableName } from './rest-catalog.ts'
import { makeRequestSigner } from './sign-requests.ts'
import { currentSchema, partitionSpecOf, type TableMetadata } from './table-metadata.ts'

/** Where the archive table is kept. */
export type ArchivePlace = {
  readonly catalog: 's3tables' | 'glue'
  /** ARN of the table bucket, or the account of the Glue catalog. */
  readonly warehouse: string
  readonly namespace: string
  /** URL of the place where the table is made; empty where the catalog decides. */
  readonly location: string
}

/** The archive table: one for all topics. */
export const archiveTableName = ({ namespace }: Pick<ArchivePlace, 'namespace'>): TableName => ({
  namespace,
  name: 'changes',
})

/**
 * The REST catalog of S3 Tables or Glue in the function's region. `AWS_ENDPOINT_URL_S3TABLES` and `AWS_ENDPOINT_URL_GLUE`
 * name another endpoint, as they do for AWS's own clients.
 */
export function archiveCatalog({ catalog, warehouse }: ArchivePlace, environment: NodeJS.ProcessEnv): RestCatalog {
  const region = environment['AWS_REGION'] ?? 'us-east-1'
  const endpoint =
    environment[`AWS_ENDPOINT_URL_${catalog.toUpperCase()}`] ?? `https://${catalog}.${region}.amazonaws.com`
  return makeRestCatalog({
    endpoint: `${endpoint}/iceberg`,
    warehouse,
    sign: makeRequestSigner({ service: catalog, region }),
  })
}

/** The table under the archive's name is not the archive's: `message` says what differs. */
export class ForeignTableError extends Error {
  override readonly name = 'ForeignTableError'
  readonly retryable = false
}

/** The catalog could not make the table: its bucket is missing, or the catalog may not write there. */
export class TableNotMadeError extends Error {
  override readonly name = 'TableNotMadeError'
  readonly retryable = true
}

/**
 * The archive table, made if it is not there. Whoever comes second finds it. Throws a ForeignTableError when it has other
 * columns, other table partitions or another format version: it was made by someone else.
 */
export async function openArchiveTable(catalog: RestCatalog, place: ArchivePlace): Promise<LoadedTable> {
  const table = archiveTableName(place)
  const found = await catalog.loadTable(table)
  const loaded = found ?? (await makeArchiveTable(catalog, table, place.location))
  checkArchiveTable(table, loaded.metadata)
  return loaded
}

async function makeArchiveTable(catalog: RestCatalog, table: TableName, location: string): Promise<LoadedTable> {
  await catalog.createNamespace(table.namespace)
  const definition = {
    schema: archiveSchema,
    'partition-spec': archivePartitionSpec,
    'write-order': archiveSortOrder,
    properties: archiveProperties,
    ...(location === '' ? {} : { location }),
  }
  const created = await catalog.createTable(table, definition).catch((cause: Error) => {
    // The catalog writes the table's first metadata itself, and does not say where it failed to.
    const where = location === '' ? "the catalog's place for it" : location
    throw new TableNotMadeError(`the table ${nameOf(table)} could not be made at ${where}: ${cause.message}`, { cause })
  })
  if (created.kind === 'created') return created
  const found = await catalog.loadTable(table)
  if (found === undefined) throw new Error(`${nameOf(table)} exists and cannot be loaded`)
  return found
}

const nameOf = ({ namespace, name }: TableName): string => `${namespace}.${name}`

function checkArchiveTable(table: TableName, metadata: TableMetadata): void {
  const difference = firstDifference(metadata)
  if (difference === undefined) return
  throw new ForeignTableError(
    `the table ${nameOf(table)} was not made by the archive: ${difference}. Rename or drop it, or choose another namespace.`,
  )
}

function firstDifference(metadata: TableMetadata): string | undefined {
  if (metadata['format-version'] !== 2) return `its format version is ${metadata['format-version']}, not 2`
  const fields = new Map(currentSchema(metadata).fields.map((field) => [field.id, field]))
  const wrong = archiveColumns.find((column) => !isColumn(fields.get(column.id), column))
  if (wrong !== undefined) return `field ${wrong.id} is not ${wrong.name} ${wrong.type}`
  const required = currentSchema(metadata).fields.find(({ id, required }) => required && id > archiveColumns.length)
  if (required !== undefined) return `its column ${required.name} is required`
  const spec = partitionSpecOf(metadata, metadata['default-spec-id']).fields
  const [expected] = archivePartitionSpec.fields
  const same = spec.length === 1 && spec[0]!['source-id'] === expected!['source-id'] && spec[0]!.transform === 'day'
  return same ? undefined : `its table partitions are not days of kafka_ts`
}

type Field = ReturnType<typeof currentSchema>['fields'][number]

const isColumn = (field: Field | undefined, { name, type, required }: ArchiveColumn): boolean =>
  field !== undefined && field.name === name && field.type === type && (required || !field.required)
