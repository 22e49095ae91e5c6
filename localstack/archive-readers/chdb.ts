import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { StackKey } from '#localstack/stack-key.ts'
import { type InstallOptions, installChdb } from './install-chdb.ts'

/** ClickHouse, which runs inside this process. */
export type Chdb = {
  /**
   * The answer is text in the given ClickHouse format; the default is JSONEachRow, one line of JSON for each row.
   * Rejects with ClickHouse's own message.
   */
  query(sql: string, format?: string): Promise<string>
  close(): void
}

/** Where the archive table is. `catalogEndpoint` is the catalog's URL without `/v1`. */
export type ArchiveAddress = {
  readonly catalogEndpoint: string
  readonly s3Endpoint: string
  readonly warehouse: string
  readonly namespace: string
  readonly key: StackKey
}

/** The part of the package's interface that is used. */
type ChdbPackage = {
  Session: new () => {
    queryAsync(sql: string, options: { format: string }): Promise<{ text(): string }>
    close(): void
  }
}

/** Opens ClickHouse, and installs it first if it is missing. Throws an Error that says what to do. */
export async function openChdb(options: InstallOptions = {}): Promise<Chdb> {
  const home = await installChdb(options)
  const { Session } = createRequire(join(home, 'package.json'))('chdb') as ChdbPackage
  const session = new Session()
  return {
    query: async (sql, format = 'JSONEachRow') => (await session.queryAsync(sql, { format })).text(),
    close: () => session.close(),
  }
}

/**
 * Makes the view `changes` of the archive table of a local stack. Each query asks the catalog again, so it sees all
 * commits so far. Only the table partitions, files and row groups that can match its conditions are read.
 */
export async function attachArchive(chdb: Chdb, address: ArchiveAddress): Promise<void> {
  const { catalogEndpoint, s3Endpoint, warehouse, namespace, key } = address
  const account = [catalogEndpoint, key.accessKeyId, key.secretAccessKey].map(quoted).join(', ')
  // ClickHouse calls the engine beta, and refuses it without this setting.
  await chdb.query('set allow_database_iceberg = 1')
  await chdb.query('drop database if exists archive')
  await chdb.query(`create database archive engine = DataLakeCatalog(${account})
    settings catalog_type = 'rest', warehouse = ${quoted(warehouse)}, storage_endpoint = ${quoted(s3Endpoint)},
      auth_header = ${quoted(`Authorization: Bearer ${key.token}`)}, vended_credentials = false`)
  const table = `archive.\`${`${namespace}.changes`.replaceAll('`', '\\`')}\``
  await chdb.query(`create or replace view changes as select * from ${table}`)
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
