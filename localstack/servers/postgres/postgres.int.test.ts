import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { localOverrides } from '#localstack/assembly/local-overrides.ts'
import { formatDatabaseUrl } from '#localstack/database-url.ts'
import { type Guard, startGuard } from '#localstack/processes/guard.ts'
import { becomesTrue } from '#localstack/processes/readiness.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { type PostgresOptions, startPostgres } from './postgres.ts'

let directory: string
let guard: Guard
let options: PostgresOptions
beforeAll(async () => {
  // The directory is closed to others, as a checkout under /root is. The server still has to get there.
  directory = await mkdtemp(join(tmpdir(), 'tidemark postgres-'))
  await chmod(directory, 0o700)
  guard = startGuard()
  options = {
    name: 'postgres shop',
    directory: join(directory, 'shop'),
    port: (await freePortPairs(1))[0]!,
    database: 'shop "1"',
    administrator: { username: 'postgres', password: "it's a %40 \\ password" },
    settings: { ...localOverrides['AWS::RDS::DBInstance'](), max_slot_wal_keep_size: '64' },
    logFile: join(directory, 'postgres.log'),
    guard,
    signal: new AbortController().signal,
  }
})
afterAll(async () => {
  guard.stop()
  await rm(directory, { recursive: true })
})

const urlOf = (password = options.administrator.password): string =>
  formatDatabaseUrl({ host: '127.0.0.1', port: options.port, dbname: options.database, username: 'postgres', password })

async function query(sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: urlOf() })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

describe('the embedded Postgres', () => {
  test('keeps its data between runs, and through a kill -9 after which it is brought back', async () => {
    const first = await startPostgres(options)
    await query('create table kept (n int)')
    await query('insert into kept values (1)')
    await first.stop()
    const second = await startPostgres(options)
    onTestFinished(() => second.stop())
    await query('insert into kept values (2)')

    process.kill(second.health().pid!, 'SIGKILL')
    await becomesTrue(async () => second.health().restarts === 1 && second.health().state === 'healthy', {
      withinMs: 30_000,
    })

    expect(await query('select n from kept order by n')).toEqual([{ n: 1 }, { n: 2 }])
  })

  test('starts although a session of the server before it has not ended yet, and says what it waits for', async () => {
    const first = await startPostgres(options)
    const client = new pg.Client({ connectionString: urlOf() })
    client.on('error', () => undefined)
    await client.connect()
    // A session that computes does not notice that its server was killed.
    const computed = client.query('select count(*) from generate_series(1, 12000000)').catch(() => undefined)
    const sessions = await query('select from pg_stat_activity where query like $$%generate_series%$$')
    expect(sessions.length).toBeGreaterThan(0)
    process.kill(first.health().pid!, 'SIGKILL')
    await first.stop()

    const said: string[] = []
    const second = await startPostgres({ ...options, onWaiting: (what) => said.push(what) })
    onTestFinished(() => second.stop())

    expect(await query('select 1 as n')).toEqual([{ n: 1 }])
    expect(said).toContain('waiting for sessions of the server before it, which was killed')
    await computed
  })

  test('is durable, decodes logically, listens on loopback alone and takes the template’s parameters', async () => {
    const server = await startPostgres(options)
    onTestFinished(() => server.stop())

    const settings = await query(
      `select name, setting from pg_settings
        where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'wal_level', 'listen_addresses',
                       'unix_socket_directories', 'max_slot_wal_keep_size')
        order by name`,
    )

    expect(Object.fromEntries(settings.map((row) => Object.values(row as object)))).toEqual({
      fsync: 'on',
      full_page_writes: 'on',
      listen_addresses: '127.0.0.1',
      max_slot_wal_keep_size: '64',
      synchronous_commit: 'on',
      unix_socket_directories: '',
      wal_level: 'logical',
    })
  })

  test('lets nobody in without the password, and says what to do when data and secrets are of different runs', async () => {
    const server = await startPostgres(options)
    const stranger = new pg.Client({ connectionString: urlOf('guess') })
    await expect(stranger.connect()).rejects.toThrow('password authentication failed')
    await server.stop()

    const administrator = { username: 'postgres', password: 'another' }

    await expect(startPostgres({ ...options, administrator })).rejects.toThrow('npm run reset')
  })
})
