import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { migrate } from '#adapters/postgres/migration/migrate.ts'
import { formatDatabaseUrl } from '#localstack/database-url.ts'
import { startGuard } from '#localstack/processes/guard.ts'
import { startPostgres } from '#localstack/servers/postgres/postgres.ts'
import { repository } from '#localstack/settings.ts'
import { type ArchiveServices, archiveNamespace } from '#test-support/archive-readers/archive-functions.ts'
import { type ArchiveServers, startArchiveServers } from '#test-support/archive-servers.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { stopWhenInterrupted } from '../interruption.ts'

/** The servers and the target of the archive. The target syncs to the disk. All are empty when they start. */
export type ArchiveStack = {
  readonly services: ArchiveServices
  readonly servers: ArchiveServers
  /** The administrator's URL of the target. */
  readonly databaseUrl: string
  readonly pool: pg.Pool
  /** Adds another migrated database of the same server, with an archive of its own that is empty. Returns its URL. */
  addTarget(name: string): Promise<string>
  /** The server of the targets. */
  readonly postgresPid: () => number | undefined
  stop(): Promise<void>
}

export async function startArchiveStack(): Promise<ArchiveStack> {
  const directory = await mkdtemp(join(tmpdir(), 'archive-bench-'))
  const guard = startGuard()
  const administrator = { username: 'postgres', password: 'bench' }
  const [port] = (await freePortPairs(1)) as [number]
  const [postgres, servers] = await Promise.all([
    startPostgres({
      ...{ name: 'postgres target', directory: join(directory, 'postgres'), port, database: 'target', administrator },
      ...{ settings: { listen_addresses: '127.0.0.1', unix_socket_directories: '', timezone: 'UTC' } },
      ...{ logFile: join(directory, 'postgres.log'), guard, signal: new AbortController().signal },
    }),
    startArchiveServers(),
  ])
  const urlOf = (dbname: string) => formatDatabaseUrl({ ...administrator, host: '127.0.0.1', port, dbname })
  const databaseUrl = urlOf('target')
  await migrateTarget(databaseUrl)
  const pool = lastingPool({ connectionString: databaseUrl, max: 4 })
  return {
    services: {
      ...{ s3Endpoint: servers.s3Endpoint, catalogEndpoint: servers.catalogEndpoint },
      warehouse: `arn:aws:s3tables:us-east-1:000000000000:bucket/${archiveNamespace}`,
      credentials: servers.key,
    },
    ...{ servers, databaseUrl, pool },
    async addTarget(name) {
      await pool.query(`create database ${pg.escapeIdentifier(name)}`)
      await migrateTarget(urlOf(name))
      return urlOf(name)
    },
    postgresPid: () => postgres.health().pid,
    stop: stopWhenInterrupted(async () => {
      await pool.end()
      await Promise.all([servers.stop(), postgres.stop()])
      guard.stop()
      await rm(directory, { recursive: true, force: true })
    }),
  }
}

async function migrateTarget(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await migrate(client, join(repository, 'sql/target'))
  } finally {
    await client.end()
  }
}
