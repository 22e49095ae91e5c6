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
import { type Answer, isUnsettled, makeCatalogRequests, type RequestOptions, refusalOf } from './catalog-requests.ts'
import type { RequestSigner } from './sign-requests.ts'

/** Namespaces have a single level, as those of S3 Tables. */
export type TableName = { readonly namespace: string; readonly name: string }

/** What a table is created from, under the names of the REST specification. */
export type TableDefinition = {
  readonly schema: TableSchema
  readonly 'partition-spec': PartitionSpec
  readonly 'write-order'?: SortOrder
  readonly properties?: Readonly<Record<string, string>>
  /** Glue has to be told; S3 Tables chooses its own. */
  readonly location?: string
}

export type LoadedTable = { readonly metadata: TableMetadata; readonly metadataLocation: string }

/**
 * How a commit ended. After `unknown` the table has to be loaded and the table snapshot looked for before anything else is
 * done. After `conflict` too: a catalog that tries again by itself can meet its own first attempt.
 */
export type CommitOutcome =
  | ({ readonly kind: 'committed' } & LoadedTable)
  | { readonly kind: 'conflict'; readonly message: string }
  | { readonly kind: 'unknown'; readonly cause: unknown }

/** An Iceberg REST catalog. What is no outcome named here is thrown: a CatalogError, or a TableMetadataError. */
export type RestCatalog = {
  createNamespace(namespace: string): Promise<'created' | 'exists'>
  /** Undefined where the table is not there. */
  loadTable(table: TableName): Promise<LoadedTable | undefined>
  /** `exists` also where a former attempt created it whose answer was lost. */
  createTable(
    table: TableName,
    definition: TableDefinition,
  ): Promise<({ readonly kind: 'created' } & LoadedTable) | { readonly kind: 'exists' }>
  /** All namespaces of the catalog that have a single level. */
  listNamespaces(): Promise<string[]>
  /** Empty where there is no such namespace. */
  listTables(namespace: string): Promise<TableName[]>
  /** `unsupported` where the catalog has no renaming, `exists` where the new name is taken. */
  renameTable(from: TableName, to: TableName): Promise<'renamed' | 'absent' | 'exists' | 'unsupported'>
  /** Puts a table that the catalog does not have back from its metadata file, with its uuid and all it had. */
  registerTable(table: TableName, metadataLocation: string): Promise<'registered' | 'exists' | 'unsupported'>
  /** Sends the commit once. */
  commit(table: TableName, commit: TableCommit): Promise<CommitOutcome>
}

export type RestCatalogOptions = RequestOptions & {
  /** An ARN of a table bucket for S3 Tables, an account id for Glue. */
  readonly warehouse?: string | undefined
  readonly sign?: RequestSigner | undefined
}

/** A client of an Iceberg REST catalog. Its configuration is asked for once, when it is first used. */
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
 * The REST specification: 409 is a requirement that does not hold, 500, 502 and 504 leave the commit unknown. 503, 429 and
 * the like come from what stands before the catalog as well, so they are no proof that nothing was done.
 */
function commitOutcome(answer: Answer): CommitOutcome {
  if (answer.status === 409) return { kind: 'conflict', message: answer.message }
  if (isUnsettled(answer)) return { kind: 'unknown', cause: refusalOf(answer) }
  if (!isSuccess(answer)) throw refusalOf(answer)
  try {
    return { kind: 'committed', ...loadedTable(answer) }
  } catch (cause) {
    // Done by its status, but not told what: the table has to be loaded to know.
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

/** Glue and S3 Tables leave out parts of the REST specification, and say so in several ways. */
const isUnsupported = ({ status, type }: Answer): boolean =>
  [404, 405, 406, 501].includes(status) || /unsupported|unknown ?operation/i.test(type ?? '')

const isSuccess = ({ status }: Answer): boolean => status >= 200 && status < 300

/**
 * Whether a 404 is the catalog's own word on a table or its namespace, whose types differ between catalogs. Any other is
 * about the address, and creating the table would not help.
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

/** `/v1/<prefix>`, with the prefix that the catalog's configuration says; asked for once, again after a failure. */
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

/** Catalogs give the prefix as it stands in a path, Glue's with slashes; a bare ARN alone still has to be encoded. */
const encodedOnce = (prefix: string): string => {
  const trimmed = prefix.replace(/^\/+|\/+$/g, '')
  return trimmed.startsWith('arn:') ? encodeURIComponent(trimmed) : trimmed
}
