import * as v from 'valibot'
import type { TableCommit } from '../commit/commit.ts'
import type { ExactJson } from '../table/exact-json.ts'
import {
  type PartitionSpec,
  readTableMetadata,
  type SortOrder,
  type TableMetadata,
  type TableSchema,
} from '../table/table-metadata.ts'
import { CatalogError } from './catalog-error.ts'
import {
  type Answer,
  leavesOutcomeUnknown,
  makeCatalogRequests,
  type RequestOptions,
  refusalOf,
} from './catalog-requests.ts'
import type { RequestSigner } from './sign-requests.ts'

/** The name of a table. Namespaces have a single level, because those of S3 Tables have one. */
export type TableName = { readonly namespace: string; readonly name: string }

/** The definition of a new table, under the names of the REST specification. */
export type TableDefinition = {
  readonly schema: TableSchema
  readonly 'partition-spec': PartitionSpec
  readonly 'write-order'?: SortOrder
  readonly properties?: Readonly<Record<string, string>>
  /** Glue needs a location; S3 Tables chooses its own. */
  readonly location?: string
}

export type LoadedTable = { readonly metadata: TableMetadata; readonly metadataLocation: string }

/**
 * How a commit ended. After `unknown` the caller must load the table and look for the table snapshot before it does
 * anything else. The same is true after `conflict`: a catalog that retries by itself can conflict with its own first
 * attempt.
 */
export type CommitOutcome =
  | ({ readonly kind: 'committed' } & LoadedTable)
  | { readonly kind: 'conflict'; readonly message: string }
  | { readonly kind: 'unknown'; readonly cause: unknown }

/**
 * An Iceberg REST catalog. Every outcome that is not named here is thrown, as a CatalogError or a TableMetadataError.
 */
export type RestCatalog = {
  createNamespace(namespace: string): Promise<'created' | 'exists'>
  /** Undefined if the table does not exist. */
  loadTable(table: TableName): Promise<LoadedTable | undefined>
  /** `exists` is also the outcome if a former attempt created the table and its answer was lost. */
  createTable(
    table: TableName,
    definition: TableDefinition,
  ): Promise<({ readonly kind: 'created' } & LoadedTable) | { readonly kind: 'exists' }>
  /** All namespaces of the catalog with a single level. */
  listNamespaces(): Promise<string[]>
  /** Empty if there is no such namespace. */
  listTables(namespace: string): Promise<TableName[]>
  /** `unsupported` if the catalog cannot rename tables, `exists` if the new name is taken. */
  renameTable(from: TableName, to: TableName): Promise<'renamed' | 'absent' | 'exists' | 'unsupported'>
  /** Restores a table that the catalog does not have from its metadata file, with its uuid and its table snapshots. */
  registerTable(table: TableName, metadataLocation: string): Promise<'registered' | 'exists' | 'unsupported'>
  /** Sends the commit once. */
  commit(table: TableName, commit: TableCommit): Promise<CommitOutcome>
}

export type RestCatalogOptions = RequestOptions & {
  /** The ARN of a table bucket for S3 Tables, an account id for Glue. */
  readonly warehouse?: string | undefined
  readonly sign?: RequestSigner | undefined
}

/** A client of an Iceberg REST catalog. It requests the catalog's configuration once, when it is first used. */
export function makeRestCatalog(options: RestCatalogOptions): RestCatalog {
  const requests = makeCatalogRequests(options)
  const root = rootPath(requests, options.warehouse)
  const tables = async ({ namespace }: Pick<TableName, 'namespace'>) =>
    `${await root()}/namespaces/${encodeURIComponent(namespace)}/tables`
  const path = async (table: TableName) => `${await tables(table)}/${encodeURIComponent(table.name)}`
  return {
    createNamespace: async (namespace) => {
      const body = { namespace: [namespace], properties: {} }
      const answer = await requests.sendAgain('POST', `${await root()}/namespaces`, body)
      if (answer.status === 409) return 'exists'
      if (!isSuccess(answer)) throw refusalOf(answer)
      return 'created'
    },
    loadTable: async (table) => {
      const answer = await requests.sendAgain('GET', await path(table))
      if (isAbsence(answer)) return undefined
      if (!isSuccess(answer)) throw refusalOf(answer)
      return loadedTable(answer)
    },
    createTable: async (table, definition) => {
      const answer = await requests.sendAgain('POST', await tables(table), { name: table.name, ...definition })
      if (answer.status === 409) return { kind: 'exists' }
      if (!isSuccess(answer)) throw refusalOf(answer)
      return { kind: 'created', ...loadedTable(answer) }
    },
    listNamespaces: async () => {
      const pages = await readPages(requests, `${await root()}/namespaces`, namespacesSchema)
      return pages.flatMap(({ namespaces }) => namespaces.flatMap((levels) => (levels.length === 1 ? levels : [])))
    },
    listTables: async (namespace) => {
      const pages = await readPages(requests, await tables({ namespace }), tablesSchema)
      return pages.flatMap(({ identifiers }) => identifiers.map(({ name }) => ({ namespace, name })))
    },
    renameTable: async (from, to) => {
      const identifier = ({ namespace, name }: TableName) => ({ namespace: [namespace], name })
      const body = { source: identifier(from), destination: identifier(to) }
      const answer = await requests.sendAgain('POST', `${await root()}/tables/rename`, body)
      if (isAbsence(answer)) return 'absent'
      if (answer.status === 409) return 'exists'
      if (isUnsupported(answer)) return 'unsupported'
      if (!isSuccess(answer)) throw refusalOf(answer)
      return 'renamed'
    },
    registerTable: async ({ namespace, name }, metadataLocation) => {
      const path = `${await root()}/namespaces/${encodeURIComponent(namespace)}/register`
      const answer = await requests.sendAgain('POST', path, { name, 'metadata-location': metadataLocation })
      if (answer.status === 409) return 'exists'
      if (isUnsupported(answer)) return 'unsupported'
      if (!isSuccess(answer)) throw refusalOf(answer)
      return 'registered'
    },
    commit: async (table, { requirements, updates }) => {
      const identifier = { namespace: [table.namespace], name: table.name }
      const answer = await requests.send('POST', await path(table), { identifier, requirements, updates })
      if (answer.kind === 'no answer') return { kind: 'unknown', cause: answer.cause }
      return commitOutcome(answer)
    },
  }
}

/**
 * According to the REST specification, 409 means that a requirement does not hold, and after 500, 502 and 504 the
 * outcome of the commit is unknown. 503, 429 and similar answers can also come from a proxy in front of the catalog, so
 * they do not prove that nothing was done.
 */
function commitOutcome(answer: Answer): CommitOutcome {
  if (answer.status === 409) return { kind: 'conflict', message: answer.message }
  if (leavesOutcomeUnknown(answer)) return { kind: 'unknown', cause: refusalOf(answer) }
  if (!isSuccess(answer)) throw refusalOf(answer)
  try {
    return { kind: 'committed', ...loadedTable(answer) }
  } catch (cause) {
    // The status says that the commit was done, but the body cannot be read. The table has to be loaded to know its
    // state.
    return { kind: 'unknown', cause }
  }
}

const nextPage = v.optional(v.nullable(v.string()))
const namespacesSchema = v.object({ namespaces: v.array(v.array(v.string())), 'next-page-token': nextPage })
const tablesSchema = v.object({ identifiers: v.array(v.object({ name: v.string() })), 'next-page-token': nextPage })

async function readPages<S extends typeof namespacesSchema | typeof tablesSchema>(
  requests: ReturnType<typeof makeCatalogRequests>,
  path: string,
  schema: S,
): Promise<v.InferOutput<S>[]> {
  const pages: v.InferOutput<S>[] = []
  for (let token: string | null | undefined; ; ) {
    const answer = await requests.sendAgain('GET', token ? `${path}?pageToken=${encodeURIComponent(token)}` : path)
    if (isAbsence(answer)) return pages
    if (!isSuccess(answer)) throw refusalOf(answer)
    const page = bodyOf(answer, schema)
    pages.push(page)
    token = page['next-page-token']
    if (!token) return pages
  }
}

/**
 * Glue and S3 Tables leave out parts of the REST specification, and answer requests for them with different statuses.
 */
const isUnsupported = ({ status, type }: Answer): boolean =>
  [404, 405, 406, 501].includes(status) || /unsupported|unknown ?operation/i.test(type ?? '')

const isSuccess = ({ status }: Answer): boolean => status >= 200 && status < 300

/**
 * Whether a 404 means that the table or its namespace does not exist; the error types differ between catalogs. Any
 * other 404 means that the address is wrong, and then creating the table would not help.
 */
const isAbsence = ({ status, type, body }: Answer): boolean =>
  status === 404 && (v.is(v.object({ error: v.object({}) }), body) || /no ?such|not ?found/i.test(type ?? ''))

const loadedTableSchema = v.object({ 'metadata-location': v.string(), metadata: v.record(v.string(), v.unknown()) })

function loadedTable(answer: Answer): LoadedTable {
  const { metadata, 'metadata-location': metadataLocation } = bodyOf(answer, loadedTableSchema)
  return { metadata: readTableMetadata(metadata as { [key: string]: ExactJson }), metadataLocation }
}

const settings = v.optional(v.nullable(v.record(v.string(), v.unknown()), {}), {})
const configSchema = v.object({ defaults: settings, overrides: settings })

function bodyOf<S extends v.GenericSchema>({ request, status, body }: Answer, schema: S): v.InferOutput<S> {
  const parsed = v.safeParse(schema, body)
  if (parsed.success) return parsed.output
  const fields = parsed.issues.map((issue) => v.getDotPath(issue) ?? 'body')
  throw new CatalogError(
    `the catalog answered ${request} with ${status}, but not as specified; wrong: ${fields.join(', ')}`,
    { status },
  )
}

/** `/v1/<prefix>`, with the prefix in the catalog's configuration. It is requested once, and again after a failure. */
function rootPath(
  requests: ReturnType<typeof makeCatalogRequests>,
  warehouse: string | undefined,
): () => Promise<string> {
  let cached: Promise<string> | undefined
  const ask = async () => {
    const query = warehouse === undefined ? '' : `?warehouse=${encodeURIComponent(warehouse)}`
    const answer = await requests.sendAgain('GET', `/v1/config${query}`)
    if (!isSuccess(answer)) throw refusalOf(answer)
    const { defaults, overrides } = bodyOf(answer, configSchema)
    const prefix = overrides['prefix'] ?? defaults['prefix'] ?? ''
    return prefix === '' ? '/v1' : `/v1/${encodedOnce(String(prefix))}`
  }
  return () => {
    cached ??= ask().catch((error: unknown) => {
      cached = undefined
      throw error
    })
    return cached
  }
}

/** Catalogs return the prefix already encoded as a path, Glue's with slashes. Only a bare ARN has to be encoded. */
const encodedOnce = (prefix: string): string => {
  const trimmed = prefix.replace(/^\/+|\/+$/g, '')
  return trimmed.startsWith('arn:') ? encodeURIComponent(trimmed) : trimmed
}
