import { type LoadedTable, makeRestCatalog, type RestCatalog, type TableName } from '../catalog/rest-catalog.ts'
import { makeRequestSigner } from '../catalog/sign-requests.ts'
import { currentSchema, partitionSpecOf, type TableMetadata } from '../table/table-metadata.ts'
import { type ArchiveProblem, ArchiveProblemError } from './archive-problem.ts'
import {
  type ArchiveColumn,
  archiveColumns,
  archivePartitionSpec,
  archiveProperties,
  archiveSchema,
  archiveSortOrder,
} from './archive-table.ts'
import { checkIdentity, findDisagreement, type KnownTable, type TableLedger } from './known-table.ts'

/** The place of the archive table. */
export type ArchivePlace = {
  readonly catalog: 's3tables' | 'glue'
  /** ARN of the table bucket, or the account of the Glue catalog. */
  readonly warehouse: string
  readonly namespace: string
  /** URL under which the table is created; empty if the catalog decides. */
  readonly location: string
}

/** The archive table: one for all topics. */
export const archiveTableName = ({ namespace }: Pick<ArchivePlace, 'namespace'>): TableName => ({
  namespace,
  name: 'changes',
})

/**
 * The REST catalog of S3 Tables or Glue in the region of the function. `AWS_ENDPOINT_URL_S3TABLES` and
 * `AWS_ENDPOINT_URL_GLUE` set another endpoint, as they do for AWS's own clients.
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

/** The catalog could not create the table: its bucket is missing, or the catalog may not write there. */
export class TableNotMadeError extends Error {
  override readonly name = 'TableNotMadeError'
}

/** `isOnlyCommitter`: the caller holds the committer's lock, so that table and ledger do not change meanwhile. */
export type OpeningOptions = { readonly isOnlyCommitter?: boolean }

type Tables = Pick<RestCatalog, 'loadTable' | 'createTable' | 'createNamespace'>

/**
 * Opens the archive table. It is created only if the ledger has never had a table. From then on the ledger has its
 * uuid. Throws an ArchiveProblemError if that table is absent or another one has its name, if only one of table and
 * ledger has a commit, or if the table was not made by the archive. The ledger keeps the problem until the table is
 * opened without one.
 */
export const openArchiveTable = (
  catalog: Tables,
  place: ArchivePlace,
  ledger: TableLedger,
  options: OpeningOptions = {},
): Promise<LoadedTable> =>
  open(catalog, place, ledger, options, (table) => makeArchiveTable(catalog, table, place.location))

/**
 * Creates a new table for a ledger whose former table is gone, with `properties` that record this. Throws an Error if
 * the name is taken.
 */
export async function beginArchiveTable(
  catalog: Tables,
  place: ArchivePlace,
  properties: Readonly<Record<string, string>>,
): Promise<LoadedTable> {
  const table = archiveTableName(place)
  if ((await catalog.loadTable(table)) !== undefined) throw new Error(`the name ${nameOf(table)} is taken`)
  return makeArchiveTable(catalog, table, place.location, properties)
}

/** Opens the archive table as `openArchiveTable` does, but never creates it: undefined if there never was one. */
export const findArchiveTable = (
  catalog: Pick<RestCatalog, 'loadTable'>,
  place: ArchivePlace,
  ledger: TableLedger,
  options: OpeningOptions = {},
): Promise<LoadedTable | undefined> => open(catalog, place, ledger, options, async () => undefined)

async function open<Absent>(
  catalog: Pick<RestCatalog, 'loadTable'>,
  place: ArchivePlace,
  ledger: TableLedger,
  { isOnlyCommitter = false }: OpeningOptions,
  make: (table: TableName) => Promise<LoadedTable | Absent>,
): Promise<LoadedTable | Absent> {
  const table = archiveTableName(place)
  const name = nameOf(table)
  try {
    let found = await catalog.loadTable(table)
    // The ledger is read after the table, so that it is never older than the table as it was loaded.
    const known = await ledger.readKnownTable()
    // Another function may have created and noted the table between the two reads.
    if (found === undefined && known.table !== undefined) found = await catalog.loadTable(table)
    checkIdentity(name, found?.metadata['table-uuid'], known)
    const loaded = found ?? (await make(table))
    if (!isLoaded(loaded)) return loaded
    const { metadata } = loaded
    // If the ledger does not know its table, a table with fewer commits is refused: it may be an empty one that was
    // created in place of the archive.
    const isStrict = isOnlyCommitter || known.table === undefined
    const problem = differenceOf(name, metadata) ?? findDisagreement(name, metadata, known, isStrict)
    if (problem !== undefined) throw new ArchiveProblemError(problem)
    await noteFound(ledger, known, { name, uuid: metadata['table-uuid'], location: metadata.location })
    return loaded
  } catch (error) {
    if (error instanceof ArchiveProblemError) await ledger.noteProblem(error.problem)
    throw error
  }
}

const isLoaded = (value: unknown): value is LoadedTable =>
  typeof value === 'object' && value !== null && 'metadata' in value

async function noteFound(
  ledger: TableLedger,
  { table, problem }: KnownTable,
  found: NonNullable<KnownTable['table']>,
): Promise<void> {
  if (table?.location !== found.location) {
    await ledger.bindTable(found)
    // Two functions that create the table at the same time find the same one. Any other table is reported before a
    // record is archived.
    checkIdentity(found.name, found.uuid, await ledger.readKnownTable())
  }
  if (problem !== undefined) await ledger.clearProblem('table')
}

async function makeArchiveTable(
  catalog: Tables,
  table: TableName,
  location: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<LoadedTable> {
  await catalog.createNamespace(table.namespace)
  const definition = {
    schema: archiveSchema,
    'partition-spec': archivePartitionSpec,
    'write-order': archiveSortOrder,
    properties: { ...archiveProperties, ...properties },
    ...(location === '' ? {} : { location }),
  }
  const created = await catalog.createTable(table, definition).catch((cause: Error) => {
    // The catalog writes the first metadata of the table itself, and its error does not say where that failed, so the
    // message names the place.
    const where = location === '' ? "the catalog's place for it" : location
    throw new TableNotMadeError(`the table ${nameOf(table)} could not be made at ${where}: ${cause.message}`, { cause })
  })
  if (created.kind === 'created') return created
  const found = await catalog.loadTable(table)
  if (found === undefined) throw new Error(`${nameOf(table)} exists and cannot be loaded`)
  return found
}

const nameOf = ({ namespace, name }: TableName): string => `${namespace}.${name}`

function differenceOf(name: string, metadata: TableMetadata): ArchiveProblem | undefined {
  const difference = firstDifference(metadata)
  return difference === undefined
    ? undefined
    : {
        kind: 'table',
        reason: `the table ${name} was not made by the archive: ${difference}`,
        command: 'rename or drop that table, or deploy with another namespace',
      }
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
