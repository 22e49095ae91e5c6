import type { Connection, Inspection } from '#core/console/connectors.ts'

type Schemas = Inspection['schemas']

/** What is chosen of a database: tables as `schema.table`, and the columns that are left out as `schema.table.column`. */
export type Choice = { readonly tables: ReadonlySet<string>; readonly leftOut: ReadonlySet<string> }

/** Names that Debezium and Postgres take for a prefix and a slot. */
export const identifierOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, '_')
    .slice(0, 60)

/**
 * The configuration of a connector for what is chosen. Debezium's lists are patterns which commas separate, so that
 * both the characters of patterns and commas in names are escaped.
 */
export function configurationOf(name: string, connection: Connection, choice: Choice): Record<string, string> {
  const identifier = identifierOf(name)
  const listOf = (names: ReadonlySet<string>) => [...names].sort().map(literally).join(',')
  return {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'tasks.max': '1',
    'database.hostname': connection.host,
    'database.port': String(connection.port),
    'database.dbname': connection.database,
    'database.user': connection.user,
    'database.password': connection.password,
    'topic.prefix': identifier,
    'plugin.name': 'pgoutput',
    'slot.name': identifier,
    'publication.name': identifier,
    'publication.autocreate.mode': 'filtered',
    'table.include.list': listOf(choice.tables),
    ...(choice.leftOut.size === 0 ? {} : { 'column.exclude.list': listOf(choice.leftOut) }),
    'decimal.handling.mode': 'string',
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'key.converter.schemas.enable': 'false',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schemas.enable': 'false',
  }
}

const literally = (name: string): string => name.replace(/[.*+?^${}()|[\]\\,]/g, '\\$&')

/** Reads an edited configuration; the reason if it is none. Connect takes texts only. */
export function readConfiguration(
  json: string,
): { readonly configuration: Record<string, string> } | { readonly why: string } {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    return { why: `it is no JSON: ${error instanceof Error ? error.message : error}` }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { why: 'it has to be a JSON object' }
  const wrong = Object.entries(value).find(([, each]) => typeof each !== 'string')
  if (wrong !== undefined) return { why: `${wrong[0]} has to be a text` }
  return { configuration: value as Record<string, string> }
}

/** Stands for the password where others may look at the screen. */
export const HIDDEN = '••••••'

/** The configuration that is shown. */
export const withoutPassword = (configuration: Readonly<Record<string, string>>): Record<string, string> => ({
  ...configuration,
  'database.password': HIDDEN,
})

/** The configuration that is sent: the password is put back, unless somebody wrote another one. */
export const withPassword = (
  configuration: Readonly<Record<string, string>>,
  password: string,
): Record<string, string> => ({
  ...configuration,
  ...(configuration['database.password'] === HIDDEN ? { 'database.password': password } : {}),
})

/** The names of the tables of the schemas that match a search, so that many can be chosen at once. */
export function matchingTables(schemas: Schemas, search: string): readonly string[] {
  const wanted = search.toLowerCase()
  return schemas
    .flatMap(({ name, tables }) => tables.map((table) => `${name}.${table.name}`))
    .filter((name) => name.toLowerCase().includes(wanted))
}
