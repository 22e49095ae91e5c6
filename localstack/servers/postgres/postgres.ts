import { chmod, chown, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { formatDatabaseUrl } from '#localstack/database-url.ts'
import { makeDirectoryOnTheWay } from '#localstack/private-file.ts'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import type { Guard } from '#localstack/processes/guard.ts'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { type RunningService, supervise } from '#localstack/processes/supervise.ts'
import { findPostgres, type PostgresPrograms } from './postgres-programs.ts'

/** An embedded Postgres 17 with one database. */
export type PostgresOptions = {
  /** Such as `postgres source`. */
  name: string
  /** Directory of the data, which is kept between runs. */
  directory: string
  port: number
  database: string
  /** The superuser. Name and password stay those of the first start. */
  administrator: { username: string; password: string }
  /** Server settings, without the port. */
  settings: Record<string, string>
  logFile: string
  guard: Guard
  signal: AbortSignal
  /** Gets a text that says what it is doing, when it takes long to start. */
  onWaiting?: (what: string) => void
}

/** Starts the server on 127.0.0.1 and creates its database. Throws an Error that says what to do. */
export async function startPostgres(options: PostgresOptions): Promise<RunningService> {
  const { name, directory, port, administrator, logFile, guard, signal, onWaiting } = options
  await makeDirectoryOnTheWay(directory)
  const programs = await findPostgres([directory])
  const data = join(directory, 'data')
  if (!(await exists(data))) await initialize(data, options, programs)

  const settings = Object.entries({ ...options.settings, port })
  const command = programs.postgres(['-D', data, ...settings.flatMap(([key, value]) => ['-c', `${key}=${value}`])])
  const url = formatDatabaseUrl({ ...administrator, host: '127.0.0.1', port, dbname: 'postgres' })
  const start = () =>
    supervise({
      name,
      command: { ...command, cwd: directory },
      ready: () => answers(url),
      ...(onWaiting && { onWaiting }),
      stopSignal: 'SIGINT',
      stopWithinMs: 1_500,
      logFile,
      guard,
      signal,
    })
  const service = await afterFormerSessions(start, options)
  try {
    await createDatabase(url, options)
  } catch (error) {
    await service.stop()
    throw error
  }
  return service
}

/** The time in which the sessions of a killed server end. */
const FORMER_SESSIONS_END_MS = 60_000

/**
 * Starts the server. Sessions of a server that was killed live on until they notice it, and until then Postgres refuses to
 * start on their data, so it is tried again.
 */
async function afterFormerSessions(
  start: () => Promise<RunningService>,
  { signal, onWaiting }: Pick<PostgresOptions, 'signal' | 'onWaiting'>,
): Promise<RunningService> {
  const deadline = Date.now() + FORMER_SESSIONS_END_MS
  for (;;) {
    try {
      return await start()
    } catch (error) {
      const isHeld = (error as Error).message.includes('pre-existing shared memory block')
      if (!isHeld || signal.aborted || Date.now() > deadline) throw error
      onWaiting?.('waiting for sessions of the server before it, which was killed')
      await pause(200)
    }
  }
}

/**
 * Initializes the data beside its final place and then renames it, so that an interrupted run leaves no half-made
 * cluster.
 */
async function initialize(data: string, { administrator, name, signal }: PostgresOptions, programs: PostgresPrograms) {
  const fresh = `${data}.new`
  const passwordFile = `${data}.password`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { mode: 0o700 })
  await writeFile(passwordFile, administrator.password, { mode: 0o600 })
  if (programs.owner) {
    for (const path of [fresh, passwordFile]) await chown(path, programs.owner.uid, programs.owner.gid)
  }
  const cluster = ['--no-instructions', '--auth=scram-sha-256', `--username=${administrator.username}`]
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const { file, args, ...as } = programs.initdb(['-D', fresh, `--pwfile=${passwordFile}`, ...cluster, ...locale])
  try {
    const { code, output } = await runToEnd(file, args, { ...as, cwd: '/', signal })
    if (code !== 0) throw new Error(`${name}: the database cluster could not be made: ${lastLinesOf(output)}`)
  } finally {
    await rm(passwordFile)
  }
  await chmod(fresh, 0o700)
  await rename(fresh, data)
}

const lastLinesOf = (output: string): string => output.trim().split('\n').slice(-3).join('\n')

async function createDatabase(url: string, { name, database, administrator }: PostgresOptions): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  try {
    await client.connect()
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(database)}`)
  } catch (cause) {
    if ((cause as { code?: string }).code === '28P01') {
      throw new Error(
        `${name} does not accept the password of ${administrator.username} in .tidemark/secrets.json: data and secrets are of different runs. Run "npm run reset" to begin again without data.`,
        { cause },
      )
    }
    throw cause
  } finally {
    await client.end()
  }
}

/**
 * Whether the server answers. Refused credentials count as an answer; their error is shown when the database is
 * created.
 */
async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWER_MS })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return true
  } catch (error) {
    return (error as { code?: string }).code === '28P01'
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}
