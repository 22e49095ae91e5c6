import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { archiveServerClasses } from '#localstack/class-archives.ts'
import { findEngine } from '#localstack/engine.ts'
import { startGuard } from '#localstack/processes/guard.ts'
import { residentBytes } from '#localstack/processes/resident-memory.ts'
import { prepareJars } from '#localstack/servers/java/jars.ts'
import { findJava } from '#localstack/servers/java/java.ts'
import { jarsDirectory, readSettings, repository } from '#localstack/settings.ts'
import { freePorts } from '#test-support/pipeline.ts'
import { stopWhenInterrupted } from '../interruption.ts'
import { connectTo } from '../measured-stack.ts'

/** `npm start -- --no-feed` in a directory of its own. */
export type WholeStack = {
  /**
   * Starts the stack and stops it. Returns the seconds until a change is visible in the target, and the memory at that
   * time.
   */
  start(): Promise<{ seconds: number; residentMb: number }>
  stop(): Promise<void>
}

const STARTS_WITHIN_MS = 600_000

/** The first start is in an empty directory. Later starts use the databases that it has made. */
export async function openWholeStack(): Promise<WholeStack> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-start-'))
  const environment = { ...process.env, ...(await portVariables()), TIDEMARK_DIRECTORY: directory }
  let child: ChildProcess | undefined
  let databases: Databases | undefined
  let run = 0
  return {
    async start() {
      run++
      const startedAt = performance.now()
      const stack = startStack(environment)
      child = stack.child
      try {
        databases ??= await stack.until(() => prepareDatabases(environment))
        const visibleAt = await untilVisible(databases, run, stack)
        return {
          seconds: (visibleAt - startedAt) / 1000,
          residentMb: Math.round((await residentBytes(stack.child.pid!)) / 1e6),
        }
      } finally {
        await end(stack.child)
        if (run === 1) await archiveClasses(environment)
      }
    },
    stop: stopWhenInterrupted(async () => {
      if (child !== undefined) await end(child)
      await rm(directory, { recursive: true, force: true })
    }),
  }
}

/** Makes the archives that a stack makes while it stays up, which is longer than the starts that are measured do. */
async function archiveClasses(environment: NodeJS.ProcessEnv): Promise<void> {
  const jars = prepareJars({ directory: jarsDirectory, environment, onProgress: () => undefined })
  const java = Promise.all([findJava(environment), jars]).then(([program, prepared]) => ({ program, jars: prepared }))
  const guard = startGuard()
  try {
    await archiveServerClasses({
      ...{ java, guard, signal: new AbortController().signal },
      settings: readSettings(environment),
    })
  } finally {
    guard.stop()
  }
}

type Databases = { readonly source: string; readonly target: string }

async function portVariables(): Promise<NodeJS.ProcessEnv> {
  const ports = await freePorts()
  return {
    TIDEMARK_POSTGRES_PORT: String(ports.postgresPort),
    TIDEMARK_KAFKA_PORT: String(ports.kafkaPort),
    TIDEMARK_CONNECT_PORT: String(ports.connectPort),
    TIDEMARK_OBJECT_STORE_PORT: String(ports.objectStorePort),
    TIDEMARK_CATALOG_PORT: String(ports.catalogPort),
    TIDEMARK_ENDPOINT_PORT: String(ports.endpointPort),
    TIDEMARK_LOCALSTACK_PORT: String(ports.localStackPort),
  }
}

type StartedStack = { readonly child: ChildProcess; until<T>(attempt: () => Promise<T | undefined>): Promise<T> }

const LAST_CHARACTERS = 2_000

/** The stack runs in a session of its own, as a server does, so that only a signal to it alone ends it. */
function startStack(env: NodeJS.ProcessEnv): StartedStack {
  const child = spawn(process.execPath, [join(repository, 'commands', 'run.mjs'), 'start', '--no-feed', '--json'], {
    ...{ env, stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  })
  let said = ''
  child.stderr!.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-LAST_CHARACTERS)
  })
  return {
    child,
    async until(attempt) {
      const deadline = performance.now() + STARTS_WITHIN_MS
      for (;;) {
        const value = await attempt()
        if (value !== undefined) return value
        if (hasEnded(child)) throw new Error(`npm start ended with exit code ${child.exitCode}. It said last:\n${said}`)
        if (performance.now() > deadline) {
          throw new Error(`npm start made no change visible within ten minutes. It said last:\n${said}`)
        }
        await pause(20)
      }
    },
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  child.kill('SIGINT')
  await once(child, 'exit')
}

async function prepareDatabases(environment: NodeJS.ProcessEnv): Promise<Databases | undefined> {
  const engine = await findEngine(readSettings(environment))
  if (engine === undefined) return undefined
  const { source, target } = engine.endpoints
  await queryOnce(source, 'create table public.started (run int primary key)')
  return { source, target }
}

/**
 * Commits a row as soon as the source accepts it, which is long before changes are captured. Returns the time when the
 * row is visible.
 */
async function untilVisible({ source, target }: Databases, run: number, { until }: StartedStack): Promise<number> {
  const succeeds = (url: string, statement: string) => async () => {
    // A failure means that the server does not run yet, or does not have the table yet.
    const result = await queryOnce(url, statement).catch(() => undefined)
    return result?.rowCount === 1 ? performance.now() : undefined
  }
  await until(succeeds(source, `insert into public.started values (${run})`))
  return until(succeeds(target, `select from public.started where run = ${run}`))
}

async function queryOnce(url: string, statement: string): Promise<pg.QueryResult> {
  const client = await connectTo(url)
  try {
    return await client.query(statement)
  } finally {
    await client.end()
  }
}
