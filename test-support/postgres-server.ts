import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { chown, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { findPostgres } from '#localstack/servers/postgres/postgres-programs.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { installPostgres, type OtherMajor } from './install-postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The administrator's URL of the run's Postgres, database `postgres`. */
    postgresUrl: string
    /** Its major, when the project asks for another one than 17. */
    postgresMajor: OtherMajor
  }
}

const CLUSTER = [
  '--no-sync',
  '--no-instructions',
  '--auth=trust',
  '--username=postgres',
  '--encoding=UTF8',
  '--locale=C',
]

/** A locale whose rules need no library. Postgres has it since 17. */
const BUILTIN_LOCALE = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8']

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  max_wal_senders: '20',
  max_replication_slots: '20',
  max_prepared_transactions: '10',
  shared_buffers: '128MB',
  // Shared memory is in files of the data directory, and is removed with it.
  dynamic_shared_memory_type: 'mmap',
  timezone: 'UTC',
}

/** The administrator needs no password. Every other role needs its own, as in production. */
const ACCESS = `
host all         postgres 127.0.0.1/32 trust
host all         all      127.0.0.1/32 scram-sha-256
host replication all      127.0.0.1/32 scram-sha-256
`

/** Vitest's global setup: one Postgres for the run, of the project's major. */
export default async function provideServer(project: TestProject): Promise<() => Promise<void>> {
  const { url, stop } = await startServer(project.config.provide?.postgresMajor)
  project.provide('postgresUrl', url)
  return stop
}

/** A Postgres for one test, on loopback and a free port. */
export type TestServer = {
  /** The administrator's URL, database `postgres`. */
  readonly url: string
  /** Stops the server, runs `work` on its data directory, as when a volume is restored, and starts the server again. */
  whileStopped(work: (directory: string) => Promise<void>): Promise<void>
  /** Removes the server with its data. */
  stop(): Promise<void>
}

/** Starts a server. `settings` are added to those of all test servers, or replace them. */
export async function startServer(major?: OtherMajor, settings: Record<string, string> = {}): Promise<TestServer> {
  const place = await placeOfData()
  const directory = await mkdtemp(join(place, 'tidemark-test-postgres-'))
  const programs = await findPostgres([place], major && (() => installPostgres(major)))
  if (programs.owner !== undefined) await chown(directory, programs.owner.uid, programs.owner.gid)
  const data = join(directory, 'data')

  const locale = major === undefined || major >= 17 ? BUILTIN_LOCALE : []
  const { file, args, ...options } = programs.initdb(['-D', data, ...CLUSTER, ...locale])
  const { code, output } = await runToEnd(file, args, { ...options, cwd: directory })
  if (code !== 0) throw new Error(`initdb ended with exit code ${code}:\n${output}`)
  await writeFile(join(data, 'pg_hba.conf'), ACCESS)

  const [port] = (await freePortPairs(1)) as [number]
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const start = async () => {
    const given = Object.entries({ ...SETTINGS, port, ...settings }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ])
    const server = programs.postgres(['-D', data, ...given])
    const child = spawn(server.file, server.args, { ...server, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
    const end = stopper(child, directory)
    await answers(url, child).catch(async (error) => {
      await end('SIGQUIT')
      throw error
    })
    return end
  }
  const remove = () => rm(directory, { recursive: true, force: true })
  let end = await start().catch(async (error) => {
    await remove()
    throw error
  })
  return {
    url,
    whileStopped: async (work) => {
      await end('SIGINT')
      await work(data)
      end = await start()
    },
    stop: async () => {
      await end('SIGQUIT')
      await remove()
    },
  }
}

/** The largest size of the data: the log, two templates, and the databases of the tests that run. */
const DATA_BYTES = 2 * 2 ** 30

/**
 * The data is in memory when the system has a folder for that with enough room. A test's database consists of a
 * thousand files, which are made and removed a second later.
 */
async function placeOfData(): Promise<string> {
  const memory = '/dev/shm'
  const found = await statfs(memory).catch(() => undefined)
  return found !== undefined && found.bavail * found.bsize > DATA_BYTES ? memory : tmpdir()
}

function stopper(server: ChildProcess, directory: string): (signal: 'SIGINT' | 'SIGQUIT') => Promise<void> {
  // A run that ends with an exception must not leave a server running, or its data in memory.
  const kill = () => {
    server.kill('SIGQUIT')
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  process.once('exit', kill)
  const ended = once(server, 'exit')
  return async (signal) => {
    process.off('exit', kill)
    server.kill(signal)
    await ended
  }
}

/** A start takes long on a machine that runs other suites, too. A server that has ended is noticed at once. */
const PATIENCE_MS = 300_000

async function answers(url: string, server: ChildProcess): Promise<void> {
  let log = ''
  server.stderr!.setEncoding('utf8').on('data', (text) => {
    log = (log + text).slice(-4_000)
  })
  for (const deadline = Date.now() + PATIENCE_MS; ; await pause(20)) {
    const client = new pg.Client({ connectionString: url })
    const connected = await client.connect().then(
      () => true,
      () => false,
    )
    await client.end().catch(() => undefined)
    if (connected) return
    if (server.exitCode !== null || Date.now() > deadline) throw new Error(`Postgres did not start:\n${log}`)
  }
}
